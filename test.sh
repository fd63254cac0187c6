#!/usr/bin/env bash
# Installs what the tests need, builds everything, runs every test, and ends with the count of them.
set -uo pipefail
cd "$(dirname "$0")" || exit 1

results=$(mktemp -d)
server_pid= smoke_pid=
finish() {
  for pid in $server_pid $smoke_pid; do kill "$pid" 2>/dev/null; done
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
# One compiler for all projects, also where the environment says otherwise: started anew for each, compilation takes twice as long.
if ! dotnet build MemcachedDistributedCache.sln --nologo -v quiet -clp:ErrorsOnly -p:UseSharedCompilation=true; then
  failed=1
  count_line
  exit 1
fi

# Runs the tests of a project as it was built, all or those of a filter, and keeps what it prints. The limit ends a run that hangs and names the test that did.
run_tests() {
  local name=$1 project=$2 filter=${3:-}
  dotnet test "test/$project/bin/Debug/net10.0/$project.dll" --nologo -v quiet --blame-hang-timeout 4m --blame-hang-dump-type none ${filter:+--filter "$filter"} \
    --logger "console;verbosity=minimal" --logger "trx;LogFileName=$name.trx" --results-directory "$results" >"$results/$name.log" 2>&1
  echo $? >"$results/$name.code"
}

# Prints what a run printed, and counts its results.
count_tests() {
  local name=$1 trx="$results/$1.trx" p s all
  step "$name"
  cat "$results/$name.log"
  if [ ! -s "$trx" ]; then
    echo "$name left no results"
    failed=$((failed + 1))
    return
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
  if [ "$(cat "$results/$name.code")" != 0 ] && [ $((all - p - s)) -eq 0 ]; then
    echo "$name ended with an error outside its tests"
    failed=$((failed + 1))
  fi
}

# Publishes the smoke program in one way, of the libraries as they were built, and lets it make a round trip on a real memcached.
# The last word that it leaves is the outcome.
smoke() {
  local way=$1
  if ! command -v memcached >/dev/null; then
    echo "no memcached"
    echo skipped
  elif ! dotnet publish test/AotSmoke/AotSmoke.csproj -c Debug --nologo -v quiet -m:1 -p:Smoke="$way" -o "$results/smoke-$way" >"$results/publish-$way" 2>&1; then
    cat "$results/publish-$way"
    if grep -Eqi 'NU110[0-9].*(NativeAOT|ILCompiler|App\.Runtime\.)' "$results/publish-$way"; then
      echo "the package sources of this machine do not have the runtime pack for it"
      echo skipped
    else
      echo failed
    fi
  elif timeout 60 "$results/smoke-$way/AotSmoke" "127.0.0.1:$port"; then
    echo passed
  else
    echo failed
  fi
}

# Packs every package, and lets an application that knows nothing of this repository install them and make a round trip.
smoke_packages() {
  if ! command -v memcached >/dev/null; then
    echo "no memcached"
    echo skipped
  elif test/PackageSmoke/run.sh "127.0.0.1:$port"; then
    echo passed
  else
    echo failed
  fi
}

# Compiling takes minutes of a processor. It goes beside the tests that wait for something most of their time, and lets them go first.
smoke_all() {
  renice -n 19 -p "$BASHPID" >/dev/null
  smoke_packages >"$results/smoke-packages.log" 2>&1
  for way in trimmed native; do
    smoke "$way" >"$results/smoke-$way.log" 2>&1
  done
}

if command -v memcached >/dev/null; then
  MEMCACHED_PORT_FILENAME="$results/port" memcached -u "$(id -un)" -l 127.0.0.1 -p -1 -U 0 &
  server_pid=$!
  for _ in $(seq 100); do [ -s "$results/port" ] && break; sleep 0.1; done
  port=$(sed -n 's/^TCP INET: //p' "$results/port")
fi
smoke_all &
smoke_pid=$!

# Three workers, and each takes the next piece when it is free, the longest first: most of these tests wait for something most of
# their time. The hybrid cache's are a piece of their own, and so are those that need the machine for themselves, at the end.
integration=MemcachedDistributedCache.IntegrationTests
resilience=MemcachedDistributedCache.Resilience.Tests
pieces=(
  "$resilience $resilience Machine!=Quiet"
  "$integration.Hybrid $integration FullyQualifiedName~$integration.Hybrid."
  "$integration $integration FullyQualifiedName!~$integration.Hybrid."
)
for project in test/*Tests/*.csproj; do
  name=$(basename "$project" .csproj)
  case $name in "$integration" | "$resilience") ;; *) pieces+=("$name $name") ;; esac
done
export results
export -f run_tests
# In the foreground: a background command ignores interrupts, and one test interrupts a program.
printf '%s\n' "${pieces[@]}" | xargs -P 3 -L 1 bash -c 'run_tests "$@"' run_tests
for piece in "${pieces[@]}"; do count_tests "${piece%% *}"; done

wait "$smoke_pid"
smoke_pid=
for way in packages trimmed native; do
  step "smoke program, $way"
  cat "$results/smoke-$way.log"
  case $(tail -n 1 "$results/smoke-$way.log") in
    passed) passed=$((passed + 1)) ;;
    skipped) skipped=$((skipped + 1)) ;;
    *) failed=$((failed + 1)) ;;
  esac
done

# Those that measure what an outage costs others have the machine for themselves, at the end.
run_tests "$resilience.Alone" "$resilience" "Machine=Quiet" && count_tests "$resilience.Alone"

printf '\n'
count_line
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
