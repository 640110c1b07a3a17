#!/usr/bin/env python3
"""Sends messages to Kafka, with requests (Debian: python3-requests).

    produce.py                a message in each of the API's forms
    produce.py MESSAGES       a JSON array of messages, with their topics

KAFKA_URL, KAFKA_USER and KAFKA_PASSWORD set the server and the user.
"""

import json
import os
import sys
import time
from urllib.parse import quote

import requests

URL = os.environ.get('KAFKA_URL', 'http://127.0.0.1:8080') + '/produce'

session = requests.Session()        # one connection for all requests
session.auth = (os.environ.get('KAFKA_USER', 'myuser'),
                os.environ.get('KAFKA_PASSWORD', 'mypass'))


class Refused(Exception):
    """Nothing of the request was sent."""


def ask(method, url, **kwargs):
    answer = session.request(method, url, timeout=30, **kwargs)
    body = answer.json()
    if not answer.ok:
        raise Refused(body['error'])
    return body


def send_all(messages, tries=5):
    """Sends messages, and retries those that failed and can still succeed.

    Returns an entry for each message: its metadata, or why it is not in Kafka.
    A message that is "maybe" in Kafka is sent again, and may be there twice.
    If you would rather lose it, retry only what is persisted "no".
    """

    outcomes = [None] * len(messages)
    left = list(range(len(messages)))

    for _ in range(tries):
        answer = session.post(URL, json=[messages[i] for i in left],
                              timeout=30)
        body = answer.json()

        if answer.ok or 'results' in body:
            for i, result in zip(left, body if answer.ok else body['results']):
                outcomes[i] = result
            left = [i for i in left if outcomes[i].get('retriable')
                    and outcomes[i]['persisted'] != 'yes']
        elif answer.status_code not in (429, 503):
            break

        if not left:
            break
        time.sleep(int(answer.headers.get('Retry-After', 1)))

    if None in outcomes:
        raise Refused(body['error'])

    return outcomes


def main():
    if len(sys.argv) > 1:
        outcomes = send_all(json.loads(sys.argv[1]))
        print(json.dumps(outcomes))
        sys.exit(any('error' in outcome for outcome in outcomes))

    # one message in the path, which must be escaped; with a key
    print(json.dumps(ask('GET', f'{URL}/greetings/hello_kafka')))
    print(json.dumps(ask('GET', f'{URL}/cities/{quote("a/b & ü", safe="")}',
                         params={'key': 'city'})))

    # one message, and several, to the topic of the path
    print(json.dumps(ask('POST', f'{URL}/cities', json={
        'key': 'city', 'value': 'Istanbul',
        'headers': [{'key': 'expire', 'value': '1637745834756'}]})))
    print(json.dumps(ask('POST', f'{URL}/cities', json=[
        {'partition': 1, 'timestamp': 1637745834744, 'value': 'London'},
        {'partition': 2, 'timestamp': 1637745823147, 'value': 'Tokyo'}])))

    # to several topics
    print(json.dumps(send_all([
        {'topic': 'greetings', 'value': json.dumps({'hello': 'world'})},
        {'topic': 'cities', 'key': 'city', 'value': 'Paris'}])))


try:
    main()
except Refused as e:
    sys.exit(f'refused: {e}')
