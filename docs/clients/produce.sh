#!/usr/bin/env bash
# Sends messages to Kafka, with curl and jq.
#
#     produce.sh                a message in each of the API's forms
#     produce.sh MESSAGES       a JSON array of messages, with their topics
#
# KAFKA_URL, KAFKA_USER and KAFKA_PASSWORD set the server and the user.
set -euo pipefail

url=${KAFKA_URL:-http://127.0.0.1:8080}/produce

user=${KAFKA_USER:-myuser}:${KAFKA_PASSWORD:-mypass}
user=${user//\\/\\\\}
user=${user//\"/\\\"}

# The password comes in a file, not as an argument that other users can see.
curl() {
    command curl -sS --max-time 30 -w '\n' --config <(echo "user = \"$user\"") \
        "$@"
}

ask() { # curl's arguments: prints the answer, or fails
    curl --fail-with-body "$@"
}

escape() { jq -rn --arg text "$1" '$text | @uri'; }

# Sends an array of messages, and retries those that failed and can still
# succeed.  Prints an entry for each message: its metadata, or why it is not in
# Kafka.  A message that is "maybe" in Kafka is sent again, and may be there
# twice.  If you would rather lose it, retry only what is persisted "no".
send_all() { # messages
    local messages=$1 left outcomes answer status body try
    outcomes=$(jq -c 'map(null)' <<<"$messages")
    left=$(jq -c 'keys' <<<"$messages")

    for try in 1 2 3 4 5; do
        if [ "$try" -gt 1 ]; then sleep 1; fi

        answer=$(jq -c --argjson left "$left" '[.[$left[]]]' <<<"$messages" |
            curl -w '\n%{http_code}' --data-binary @- "$url")
        status=${answer##*$'\n'} body=${answer%$'\n'*}

        if [ "$status" = 200 ] || jq -e '.results' <<<"$body" >/dev/null; then
            outcomes=$(jq -c --argjson left "$left" --argjson body "$body" '
                ($body | if type == "array" then . else .results end) as $new |
                reduce range($left | length) as $i
                    (.; .[$left[$i]] = $new[$i])' <<<"$outcomes")
            left=$(jq -c --argjson left "$left" '[$left[] as $i | $i |
                select($all[$i].retriable and $all[$i].persisted != "yes")]' \
                --argjson all "$outcomes" <<<null)
        elif [[ $status != @(429|503) ]]; then
            break
        fi

        if [ "$left" = '[]' ]; then break; fi
    done

    if jq -e 'any(. == null)' <<<"$outcomes" >/dev/null; then
        echo "refused: $(jq -r .error <<<"$body")" >&2
        return 1
    fi
    echo "$outcomes"
    jq -e 'all(has("error") | not)' <<<"$outcomes" >/dev/null
}

if [ $# -gt 0 ]; then
    send_all "$1"
    exit
fi

# One message in the path, which must be escaped; with a key.
ask "$url/greetings/hello_kafka"
ask "$url/cities/$(escape 'a/b & ü')?key=city"

# One message, and several, to the topic of the path.
ask "$url/cities" -d '{"key": "city", "value": "Istanbul",
    "headers": [{"key": "expire", "value": "1637745834756"}]}'
ask "$url/cities" -d '[
    {"partition": 1, "timestamp": 1637745834744, "value": "London"},
    {"partition": 2, "timestamp": 1637745823147, "value": "Tokyo"}]'

# To several topics.
send_all '[
    {"topic": "greetings", "value": "{\"hello\": \"world\"}"},
    {"topic": "cities", "key": "city", "value": "Paris"}]'
