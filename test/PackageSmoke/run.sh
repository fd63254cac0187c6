#!/usr/bin/env bash
# Packs every package as it was built last, installs the packages in an application outside the repository, and runs it on a memcached.
# usage: run.sh <host:port> [<folder of packages to use instead>]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
server=$1
work=$(mktemp -d)
tool_pid=
finish() {
  [ -z "$tool_pid" ] || kill "$tool_pid" 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT

# A version that never was: no package of another run, however it was installed, is taken for one of these.
packages=${2:-$work/packages}
if [ $# -lt 2 ]; then
  dotnet pack "$here/../../MemcachedDistributedCache.sln" --no-build -c Debug --nologo -v quiet --version-suffix "smoke.$(date +%s%N)" -o "$packages"
fi
version=$(basename "$(echo "$packages"/MemcachedDistributedCache.Client.*.nupkg)" .nupkg)
version=${version#MemcachedDistributedCache.Client.}

dotnet tool install MemcachedDistributedCache.Embedded.Tool --version "$version" --source "$packages" --tool-path "$work/tools" >/dev/null
"$work/tools/memcached-embedded" -p 0 >"$work/tool" &
tool_pid=$!
for _ in $(seq 300); do grep -q listening "$work/tool" && break; sleep 0.1; done
tool=$(sed -n 's/^listening on //p' "$work/tool")

# What the machine has of other packages already is used where it lies.
mkdir "$work/app"
cp "$here"/*.cs "$here"/*.csproj "$here"/nuget.config "$work/app"
dotnet build "$work/app" --nologo -v quiet -clp:ErrorsOnly -o "$work/bin" -p:PackageFolder="$packages" -p:PackageVersion="$version" \
  -p:RestoreFallbackFolders="$(dotnet nuget locals global-packages --list --force-english-output | sed 's/^[^:]*: //')"
cp "$work/app/obj/project.assets.json" "$work/bin"
timeout 60 "$work/bin/PackageSmoke" "$packages" "$server" "$tool"

kill -TERM "$tool_pid"
wait "$tool_pid"
tool_pid=
