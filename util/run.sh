#!/usr/bin/env bash
# Builds the module and runs it in Debian's nginx, in the foreground, on
# 127.0.0.1, with a page to try it from.  Ctrl-C ends it.
#
#   util/run.sh [--port N] [--kafka HOST:PORT[,HOST:PORT...]] [--topic NAME]
#
#   --port N    the port to listen on (8080)
#   --kafka     a Kafka of yours; else librdkafka's mock cluster, which lives
#               inside nginx, knows any topic, and forgets everything at the end
#   --topic     a topic for the printed examples (greetings and cities)
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
nginx=/usr/sbin/nginx
port=8080 kafka='' topic=''

die() { echo "run.sh: $*" >&2; exit 1; }
usage() { sed -n '/^#   /s/^#   //p' "$0" >&2; exit 2; }

while [ $# -gt 0 ]; do
    case $1 in
        --port)  port=${2:-};  [[ $port =~ ^[0-9]+$ ]] || usage ;;
        --kafka) kafka=${2:-}; [[ $kafka =~ ^[]A-Za-z0-9.:,_[-]+$ ]] || usage ;;
        --topic) topic=${2:-}; [[ $topic =~ ^[A-Za-z0-9._-]+$ ]] || usage ;;
        *)       usage ;;
    esac
    shift 2
done

"$root/util/deps.sh" build run
"$root/util/build.sh" --no-install

if (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
    die "port $port of 127.0.0.1 is in use; take another one with --port"
fi

# The workers of a root's nginx are the user nobody: they must get in.
umask 022
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
chmod 755 "$tmp"

echo 'myuser:{PLAIN}mypass' >"$tmp/users"
cp "$root/util/demo/index.html" "$tmp/index.html"

if [ -n "$kafka" ]; then
    property="bootstrap.servers $kafka"
else
    property="test.mock.num.brokers 1"
fi

cat >"$tmp/nginx.conf" <<END
load_module $root/build/ngx_http_kafka_module.so;

daemon off;
pid $tmp/nginx.pid;
error_log stderr warn;

events {
}

http {
    kafka_producer main {
        $property;
    }

    log_format readable '\$time_local "\$request" \$status \${request_time}s';
    access_log /dev/stdout readable;

    client_body_temp_path $tmp/body;
    proxy_temp_path $tmp/proxy;
    fastcgi_temp_path $tmp/fastcgi;
    uwsgi_temp_path $tmp/uwsgi;
    scgi_temp_path $tmp/scgi;

    client_max_body_size 16m;

    server {
        listen 127.0.0.1:$port;

        location /produce {
            auth_basic Kafka;
            auth_basic_user_file $tmp/users;
            kafka_produce main;
        }

        location = / {
            root $tmp;
            default_type text/html;
            charset utf-8;
            add_header Cache-Control no-cache;
            try_files /index.html =404;
        }

        # The page asks each second.
        location = /status {
            access_log off;
            kafka_status;
        }

        location = /metrics {
            kafka_status prometheus;
        }

        location = /health {
            kafka_health main;
        }
    }
}
END

# nginx has a session of its own, or Ctrl-C would reach it as a fast stop; should
# this script be killed, it quits by itself.  /dev/stdout is made a pipe, since
# nginx could not open a terminal of another user or a socket.
exec 3> >(trap '' INT TERM HUP; exec cat)
logger=$!
setsid setpriv --pdeathsig QUIT \
    "$nginx" -p "$tmp" -c "$tmp/nginx.conf" -e stderr >&3 3>&- </dev/null &
server=$!
exec 3>&-

stopping=
stop() {
    if [ -z "$stopping" ]; then
        stopping=yes
        kill -QUIT "$server" 2>/dev/null || true
    else
        kill -TERM "$server" 2>/dev/null || true
    fi
}
trap stop INT TERM HUP

until [ -s "$tmp/nginx.pid" ] || ! kill -0 "$server" 2>/dev/null; do
    sleep 0.05
done

curl="curl -u myuser:mypass http://127.0.0.1:$port/produce"

examples() {
    local one=${topic:-greetings} two=${topic:-cities}
    cat <<END
$curl/$one/hello_kafka
${curl% *} '${curl##* }/$two/Istanbul?key=city'
$curl/$one -d '{"value": "hello_kafka"}'
$curl/$two -d '[{"key": "city", "value": "Istanbul"}, {"key": "city", "value": "London", "headers": [{"key": "expire", "value": "1637745834756"}]}]'
$curl -d '[{"topic": "$one", "value": "hello_world"}, {"topic": "$two", "partition": 0, "value": "Tokyo"}]'
END
}

if [ -s "$tmp/nginx.pid" ] && [ -z "$stopping" ]; then
    echo
    echo "Open in a browser: http://127.0.0.1:$port/"
    echo
    if [ -n "$kafka" ]; then
        echo "nginx produces to Kafka at $kafka. Topics are not created:"
        if [ -n "$topic" ]; then
            echo "$topic must exist."
        else
            echo "greetings and cities must exist (or name one with --topic), as made by"
            for name in greetings cities; do
                echo "    kafka-topics.sh --bootstrap-server ${kafka%%,*} --create" \
                    "--topic $name --partitions 4"
            done
        fi
    else
        echo "nginx produces to a mock cluster inside itself; each topic has" \
            "4 partitions."
    fi
    echo "Try, in another terminal:"
    echo
    examples
    echo
    echo "Ctrl-C ends it."
    echo
fi

# A signal ends a wait early; the last one tells how nginx ended.
while kill -0 "$server" 2>/dev/null; do wait "$server" || true; done
status=0
wait "$server" || status=$?
wait "$logger" || true

exit "$status"
