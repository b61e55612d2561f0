/* cmd_version: `remex version`: what this program is and what it is built with. */
#include "command.h"

static const struct {
	const char *name, *version;
} libraries[] = {
	{ "grpc-core", REMEX_GRPC_VERSION },   { "protobuf-c", REMEX_PROTOBUF_C_VERSION },
	{ "libcrypto", REMEX_CRYPTO_VERSION }, { "pcre2", REMEX_PCRE2_VERSION },
	{ "yaml", REMEX_YAML_VERSION },        { "yajl", REMEX_YAJL_VERSION },
};

#ifdef __clang__
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

static void add_json(struct cmd *c)
{
	struct json j = cmd_json(c);

	json_kv_str(&j, "version", REMEX_VERSION);
	json_kv_str(&j, "grpc_core", REMEX_GRPC_VERSION);
	json_kv_str(&j, "grpc_linkage", REMEX_GRPC_LINKAGE);
	json_kv_str(&j, "compiler", COMPILER);
	json_key(&j, "libraries");
	json_object(&j);
	for (size_t i = 0; i < RX_COUNT(libraries); i++)
		json_kv_str(&j, libraries[i].name, libraries[i].version);
	json_end(&j, '}');
	cmd_json_end(c, &j);
}

int cmd_version(struct cmd *c, int argc, char **argv)
{
	const struct opt own[] = { OPT_END };

	if (!cmd_parse(c, own, NULL, argc, argv) || !cmd_operands(c, 0, 0, ""))
		return c->exit_code;
	if (c->json) {
		add_json(c);
		return cmd_done(c, EXIT_YES);
	}
	rx_buf_addf(&c->out, "remex %s\n", REMEX_VERSION);
	for (size_t i = 0; i < RX_COUNT(libraries); i++)
		rx_buf_addf(&c->out, "%s %s%s\n", libraries[i].name, libraries[i].version,
			    i == 0 ? " (" REMEX_GRPC_LINKAGE ")" : "");
	rx_buf_addf(&c->out, "built with %s\n", COMPILER);
	return cmd_done(c, EXIT_YES);
}
