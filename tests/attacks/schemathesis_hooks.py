"""Content types that schemathesis does not know: `SCHEMATHESIS_HOOKS=tests.attacks.schemathesis_hooks`."""

import schemathesis

schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")  # the body of tus
