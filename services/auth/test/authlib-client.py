"""Signs in with Authlib: prints the URL to open, reads the redirect, prints what it got."""

import json
import secrets
import sys

import requests
from authlib.integrations.requests_client import OAuth2Session
from authlib.jose import JsonWebKey, JsonWebToken
from authlib.oidc.core import CodeIDToken

issuer, client_id, client_secret, redirect_uri = sys.argv[1:]
server = requests.get(f"{issuer}/.well-known/openid-configuration", timeout=10).json()
session = OAuth2Session(
    client_id,
    client_secret,
    scope="openid email",
    redirect_uri=redirect_uri,
    code_challenge_method="S256",
)
verifier, nonce = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
url, state = session.create_authorization_url(
    server["authorization_endpoint"], code_verifier=verifier, nonce=nonce
)
print(url, flush=True)

tokens = session.fetch_token(
    server["token_endpoint"],
    authorization_response=sys.stdin.readline().strip(),
    state=state,
    code_verifier=verifier,
)
keys = JsonWebKey.import_key_set(requests.get(server["jwks_uri"], timeout=10).json())
claims = JsonWebToken(["RS256"]).decode(
    tokens["id_token"],
    keys,
    claims_cls=CodeIDToken,
    claims_options={"iss": {"value": issuer}, "aud": {"value": client_id}},
    claims_params={"nonce": nonce, "client_id": client_id},
)
claims.validate()
user = session.get(server["userinfo_endpoint"]).json()
session.refresh_token(server["token_endpoint"], refresh_token=tokens["refresh_token"])
revoked = session.revoke_token(
    server["revocation_endpoint"], token=session.token["refresh_token"]
)
print(json.dumps({"claims": claims, "user": user, "revoked": revoked.status_code}))
