/* embedded: the server one gets without asking: where it lives, starting it on demand. */
#pragma once

#include "service.h"

/* $REMEX_STATE_DIR, else $XDG_CACHE_HOME/remex, else ~/.cache/remex, else /tmp/remex-UID; made
 * 0700. The socket is in a short path ($XDG_RUNTIME_DIR/remex or the same directory). */
RX_MUST_USE bool embedded_dir(char **out, struct rx_err *err);
/* Its lock, socket and log. The caller releases it. */
RX_MUST_USE bool embedded_paths(struct service_paths *out, struct rx_err *err);
/* Starts it when it does not run (before gRPC is up in this process!), gives its URL. */
/* note_out: what the user should know about one that was just started; NULL = nothing. The strings
 * are the caller's. */
RX_MUST_USE bool embedded_ensure(const char *program, char **url_out, bool *started_out,
				 char **note_out, struct rx_err *err);
/* Identifies this build, so that a newer client replaces an older server. */
const char *embedded_build_id(void);
