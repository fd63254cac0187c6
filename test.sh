#!/usr/bin/env bash
# Installs what the tests need, builds everything, runs every test, and ends with the count of them.
set -uo pipefail
cd "$(dirname "$0")" || exit 1

results=$(mktemp -d)
server_pid=
finish() {
  [ -n "$server_pid" ] && kill "$server_pid" 2>/dev/null
  rm -rf "$results"
}
trap finish EXIT

# A real memcached, the library that moves a process's clock, a browser, and the linker of ahead-of-time compilation.
missing=()
command -v memcached >/dev/null || missing+=(memcached)
compgen -G '/usr/lib/*/faketime/libfaketimeMT.so.1' >/dev/null || missing+=(libfaketime)
command -v chromium >/dev/null || command -v chromium-browser >/dev/null || missing+=(chromium)
command -v clang >/dev/null || command -v gcc >/dev/null || missing+=(gcc libc6-dev)
[ -e /usr/include/zlib.h ] || missing+=(zlib1g-dev)
if [ "${#missing[@]}" -gt 0 ]; then
  echo "Installing ${missing[*]}"
  as_root=
  [ "$(id -u)" -eq 0 ] || as_root=sudo
  export DEBIAN_FRONTEND=noninteractive
  { $as_root apt-get update -qq && $as_root apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >"$results/install.log" 2>&1 || {
    tail -n 20 "$results/install.log"
    echo "Could not install ${missing[*]}: tests that need them will be skipped, and say so."
    # On a machine for continuous integration that would be a test run which shows nothing.
    [ "${CI:-}" = true ] && exit 1
  }
fi

passed=0 failed=0 skipped=0
step() { printf '\n== %s\n' "$1"; }
count_line() { printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"; }

step "build"
if ! dotnet build MemcachedDistributedCache.sln --nologo -v quiet -clp:ErrorsOnly; then
  failed=1
  count_line
  exit 1
fi

for project in test/*Tests/*.csproj; do
  name=$(basename "$project" .csproj)
  step "$name"
  # The limit ends a run that hangs and names the test that did.
  dotnet test "$project" --no-build --nologo -v quiet --blame-hang-timeout 4m --blame-hang-dump-type none \
    --logger "console;verbosity=minimal" --logger "trx;LogFileName=$name.trx" --results-directory "$results" || run_failed=1
  trx="$results/$name.trx"
  if [ ! -s "$trx" ]; then
    echo "$name left no results"
    failed=$((failed + 1))
    continue
  fi
  p=$(grep -o '<UnitTestResult [^>]*outcome="Passed"' "$trx" | wc -l)
  s=$(grep -o '<UnitTestResult [^>]*outcome="NotExecuted"' "$trx" | wc -l)
  all=$(grep -o '<UnitTestResult ' "$trx" | wc -l)
  passed=$((passed + p)) skipped=$((skipped + s)) failed=$((failed + all - p - s))
  if [ "$all" -eq 0 ]; then
    echo "$name ran no test"
    failed=$((failed + 1))
  fi
  # A test host that died mid-way fails the run even if everything that it recorded passed.
  if [ "${run_failed:-0}" = 1 ] && [ $((all - p - s)) -eq 0 ]; then
    echo "$name ended with an error outside its tests"
    failed=$((failed + 1))
  fi
  run_failed=0
done

# Publishes the smoke program in one way and lets it make a round trip on a real memcached.
smoke() {
  local name=$1 log="$results/$1.log"
  shift
  step "smoke program, $name"
  if ! command -v memcached >/dev/null; then
    echo "skipped: no memcached"
    skipped=$((skipped + 1))
  elif ! dotnet publish test/AotSmoke/AotSmoke.csproj --nologo -v quiet -c Release --use-current-runtime --self-contained \
      --artifacts-path "$results/$name" -o "$results/$name/out" "$@" >"$log" 2>&1; then
    if grep -q 'NU110[0-9].*NativeAOT' "$log"; then
      echo "skipped: the package sources of this machine do not have the runtime for native compilation"
      skipped=$((skipped + 1))
    else
      cat "$log"
      failed=$((failed + 1))
    fi
  elif timeout 60 "$results/$name/out/AotSmoke" "127.0.0.1:$port"; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
  fi
}

if command -v memcached >/dev/null; then
  MEMCACHED_PORT_FILENAME="$results/port" memcached -u "$(id -un)" -l 127.0.0.1 -p -1 -U 0 &
  server_pid=$!
  for _ in $(seq 100); do [ -s "$results/port" ] && break; sleep 0.1; done
  port=$(sed -n 's/^TCP INET: //p' "$results/port")
fi
smoke trimmed -p:PublishTrimmed=true -p:TrimMode=full
smoke native -p:PublishAot=true

printf '\n'
count_line
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
