#!/usr/bin/env bash
# Measures by gcov which lines and branches of src/ the tests reach, and prints
# a table.
#
#   util/coverage.sh [FILE...]    by these files of t/ or t/e2e/, or by all of them
#
# Pages of HTML, a line of source with the branches that were taken, are in
# build/coverage/html.  A worker process that is killed counts nothing.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
build=$root/build/coverage

case ${1:-} in -*) sed -n '/^#   util/s/^#   //p' "$0" >&2; exit 2 ;; esac

util/deps.sh build test coverage

files=("$@")
if [ $# -eq 0 ]; then files=(t/*.t t/e2e/*.py); fi

# Debian's flags shorten paths, which gcov needs whole.
flags="-O0 -g -U_FORTIFY_SOURCE --coverage -fprofile-update=atomic"
flags+=" -ffile-prefix-map=$root=$root"
BUILD=$build CC=gcc CC_OPT=$flags LD_OPT=--coverage \
    util/build.sh --no-install

# A worker process may run as another user.
find "$build/objs" -name '*.gcda' -delete
find "$build/objs" -type d -exec chmod a+rwx {} +

status=0
TEST_LOGS=$build/test-logs \
    TEST_NGINX_LOAD_MODULES=$build/ngx_http_kafka_module.so \
    util/test.sh "${files[@]}" || status=$?

# gcov looks for nginx's headers from here.
mkdir -p "$build/html"
cd "$build/nginx"
gcovr --root "$root" --filter "$root/src/" --object-directory . \
    --html-details "$build/html/index.html" \
    --txt "$build/lines.txt" --print-summary ../objs
cat "$build/lines.txt"

exit "$status"
