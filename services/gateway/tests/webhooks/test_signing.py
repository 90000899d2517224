"""Signatures, against what the specification's own libraries give."""

import base64

from gateway.webhooks.signing import PREFIX, new_secret, signed

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_signature_is_that_of_the_specification() -> None:
    headers = signed("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, BODY, [SECRET])
    assert headers == {"webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": "1614265330", "webhook-signature": SIGNATURE}


def test_two_secrets_sign_side_by_side() -> None:
    other = new_secret()
    both = signed("msg_1", 1, BODY, [other, SECRET])["webhook-signature"].split(" ")
    assert both == [signed("msg_1", 1, BODY, [key])["webhook-signature"] for key in (other, SECRET)]


def test_a_secret_has_as_many_bytes_as_asked_for() -> None:
    secrets = {new_secret() for _ in range(10)}
    assert len(secrets) == 10
    assert {len(base64.b64decode(secret.removeprefix(PREFIX))) for secret in secrets} == {32}
