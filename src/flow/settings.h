/* settings: what is set outside the command line: the nearest .remex.yaml up to the repository root
 * and the user's own $XDG_CONFIG_HOME/remex/config.yaml. Keys are names of options; `remotes:`
 * names endpoints with all their settings.
 *
 * A repository is somebody else's: keys that run or reveal something (token-file, header) count
 * only from the user's own file (or one named by --config), and those of the user's own file are
 * not sent to an endpoint that a repository's file names. An unknown key is an error with
 * file:line. */
#pragma once

#include "err.h"

enum settings_layer { SETTINGS_USER, SETTINGS_NEAREST, SETTINGS_LAYERS };

struct settings_value {
	const char *const *v; /* one, or several of a list; NAME=VALUE of a map */
	size_t n;
	const char *at; /* "/home/u/p/.remex.yaml:3" */
	enum settings_layer layer;
	bool of_remote; /* from the remote's own entry */
};

struct settings;
struct settings_where {
	const char *start_dir; /* where the search upward starts */
	const char *config;    /* --config: this instead of the nearest .remex.yaml; trusted */
};
/* Absent files are fine, except one named by --config. NULL on failure
 * (RX_EUSAGE). */
struct settings *settings_load(const struct settings_where *w, struct rx_err *err);
void settings_free(struct settings *s);

/* The remote of this name; *layer_out says whose it is (the nearest file's hides the user's). */
bool settings_has_remote(const struct settings *s, const char *name,
			 enum settings_layer *layer_out);
/* "ci, local" for messages; the caller frees. */
char *settings_remote_names(const struct settings *s);
/* False for SETTINGS_NEAREST unless the user named the file. */
bool settings_trusted(const struct settings *s, enum settings_layer layer);

struct settings_query {
	const char *key;
	const char *remote; /* this remote's own settings come first; NULL = none */
	/* The endpoint in force comes from a file that is not trusted: keys that reveal something
	 * are kept from it, with a note. */
	bool endpoint_untrusted;
};
#define SETTINGS_VALUES (SETTINGS_LAYERS + 1)
/* All values of a key, strongest first; returns how many. They live as long as s. */
size_t settings_values(const struct settings *s, const struct settings_query *q,
		       struct settings_value out[SETTINGS_VALUES]);
