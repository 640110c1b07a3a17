#!/usr/bin/python3
"""Decides whether a request may produce, by its JSON Web Token.

nginx sends the request's Authorization header, and the topic of the path, if
there is one, in X-Topic.  The token must be signed with HS256 and the secret in
the file that the command line names.  Its claims are

    {"sub": "shop", "exp": 1795458436, "topics": ["orders", "cities"]}

The answer is 204, 401 or 403.  "*" in the topics allows each topic.  A request
whose path has no topic needs "*": the topics are in its body, which nginx does
not send to this service.
"""

import base64
import hmac
import http.server
import json
import sys
import time


def decode(part):
    return base64.urlsafe_b64decode(part + '=' * (-len(part) % 4))


def claims(authorization, secret):
    """Returns the claims of a valid token.  Raises an exception otherwise."""

    scheme, _, token = authorization.partition(' ')
    signed, _, signature = token.strip().rpartition('.')
    header, _, payload = signed.partition('.')

    if scheme.lower() != 'bearer':
        raise ValueError('no token')

    expected = hmac.digest(secret, signed.encode(), 'sha256')
    if not hmac.compare_digest(expected, decode(signature)):
        raise ValueError('the signature is wrong')

    if json.loads(decode(header))['alg'] != 'HS256':
        raise ValueError('not signed with HS256')

    said = json.loads(decode(payload))
    if not said['exp'] > time.time():
        raise ValueError('expired')

    return said


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    secret = b''

    def do_GET(self):
        topic = self.headers.get('X-Topic', '*')

        try:
            said = claims(self.headers.get('Authorization', ''), self.secret)
            self.answer(204 if {topic, '*'} & set(said['topics']) else 403)

        except (ValueError, TypeError, KeyError) as e:
            self.log_message('refused: %r', e)
            self.answer(401, 'Bearer realm="Kafka"')

    do_POST = do_GET

    def answer(self, status, challenge=None):
        self.send_response(status)
        if challenge:
            self.send_header('WWW-Authenticate', challenge)
        if status != 204:
            self.send_header('Content-Length', '0')
        self.end_headers()

    def log_request(self, *_):
        pass


def main():
    with open(sys.argv[1], 'rb') as f:
        Handler.secret = f.read().strip()

    port = int(sys.argv[2]) if len(sys.argv) > 2 else 9000
    http.server.ThreadingHTTPServer(('127.0.0.1', port),
                                    Handler).serve_forever()


if __name__ == '__main__':
    main()
