/* settle: gives options that were not on the command line their value from the environment and the
 * settings files, strongest first. */
#pragma once

#include "command.h"
#include "connection.h"

/* Environment only, of the sections given so far: what must be known before files are read. */
RX_MUST_USE bool settle_environment(struct cmd *c, struct rx_err *err);
/* The rest. k may be NULL. Afterwards k->remote is a URL, never a name. */
RX_MUST_USE bool settle_settings(struct cmd *c, struct connection *k, struct rx_err *err);
