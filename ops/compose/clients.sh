#!/bin/sh
# Registers the apps that people sign in to, as the operator. Safe to run again, also after the domain
# or the port has changed; it replaces what was changed by hand.
set -eu

# name, audiences of its tokens, scope
register() {
  url=https://$1.$LATCHKEY_DOMAIN:$LATCHKEY_HTTPS_PORT
  # A browser leaves out the default port, and redirect URIs are compared as text.
  node src/cli/main.ts clients add "$1" --redirect-uri "${url%:443}/auth/callback" \
    --audiences "$2" --scope "$3" --no-secret
}

register orders orders 'orders:read orders:write'
register billing billing,orders 'invoices:read invoices:write orders:read orders:write'
