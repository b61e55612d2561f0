/* wire_action: Command, Action and Platform of `struct action`. */
#include "wire_action.h"

#include "file.h"
#include "wire_pb.h"

static Re__Platform *pack_platform(struct arena *a, const struct action_pair *v, size_t n)
{
	Re__Platform *m = PB_NEW(a, Re__Platform, re__platform);

	m->n_properties = n;
	m->properties = ARENA_ARRAY(a, Re__Platform__Property *, n);
	for (size_t i = 0; i < n; i++) {
		m->properties[i] = PB_NEW(a, Re__Platform__Property, re__platform__property);
		m->properties[i]->name = wire_pb_text(v[i].name);
		m->properties[i]->value = wire_pb_text(v[i].value);
	}
	return m;
}

static int by_string(const void *x, const void *y)
{
	return strcmp(*(const char *const *)x, *(const char *const *)y);
}

/* All outputs as output_paths: those of the old lists are added in their place. */
static void pack_paths(struct arena *arena, const struct action *a, Re__Command *m)
{
	size_t n = a->n_output_paths, kept = 0,
	       most = n + a->n_output_files + a->n_output_directories;
	const char **v;

	m->n_output_paths = n;
	m->output_paths = wire_pb_strings(a->output_paths);
	if (most == n)
		return;
	v = ARENA_ARRAY(arena, const char *, most);
	for (size_t i = 0; i < a->n_output_paths; i++)
		v[i] = a->output_paths[i];
	for (size_t i = 0; i < a->n_output_files; i++)
		v[n++] = a->output_files[i];
	for (size_t i = 0; i < a->n_output_directories; i++)
		v[n++] = a->output_directories[i];
	qsort(v, n, sizeof(*v), by_string); /* REAPI rule 14 */
	for (size_t i = 0; i < n; i++)
		if (!kept || strcmp(v[kept - 1], v[i]) != 0)
			v[kept++] = v[i];
	m->n_output_paths = kept;
	m->output_paths = wire_pb_strings(v);
}

void wire_command_pack(const struct action *a, enum wire_outputs outputs, struct rx_buf *out)
{
	RX_CLEANUP(arena_release) struct arena scratch = { 0 };
	Re__Command m = RE__COMMAND__INIT;

	m.n_arguments = a->n_argv;
	m.arguments = wire_pb_strings(a->argv);
	m.n_environment_variables = a->n_env;
	m.environment_variables =
		ARENA_ARRAY(&scratch, Re__Command__EnvironmentVariable *, a->n_env);
	for (size_t i = 0; i < a->n_env; i++) {
		Re__Command__EnvironmentVariable *v =
			PB_NEW(&scratch, Re__Command__EnvironmentVariable,
			       re__command__environment_variable);

		v->name = wire_pb_text(a->env[i].name);
		v->value = wire_pb_text(a->env[i].value);
		m.environment_variables[i] = v;
	}
	if (outputs == WIRE_OUTPUT_AS_IS) {
		m.n_output_paths = a->n_output_paths;
		m.output_paths = wire_pb_strings(a->output_paths);
	} else {
		pack_paths(&scratch, a, &m);
	}
	if (outputs != WIRE_OUTPUT_PATHS) {
		m.n_output_files = a->n_output_files;
		m.output_files = wire_pb_strings(a->output_files);
		m.n_output_directories = a->n_output_directories;
		m.output_directories = wire_pb_strings(a->output_directories);
	}
	if (a->has_command_platform)
		m.platform = pack_platform(&scratch, a->command_platform, a->n_command_platform);
	else if (a->has_platform && outputs != WIRE_OUTPUT_AS_IS) /* REAPI rule 145 */
		m.platform = pack_platform(&scratch, a->platform, a->n_platform);
	m.working_directory = wire_pb_text(a->cwd);
	m.n_output_node_properties = a->n_output_node_properties;
	m.output_node_properties = wire_pb_strings(a->output_node_properties);
	m.output_directory_format = (Re__Command__OutputDirectoryFormat)a->output_format;
	wire_pack(&m.base, out);
}

void wire_action_pack(const struct action *a, struct rx_buf *out)
{
	RX_CLEANUP(arena_release) struct arena scratch = { 0 };
	Re__Action m = RE__ACTION__INIT;
	Pb__Duration timeout = PB__DURATION__INIT;

	m.command_digest = wire_pb_digest(&scratch, &a->command_digest);
	m.input_root_digest = wire_pb_digest(&scratch, &a->input_root);
	if (a->has_timeout) {
		timeout.seconds = a->timeout_s;
		timeout.nanos = a->timeout_ns;
		m.timeout = &timeout;
	}
	m.do_not_cache = a->do_not_cache;
	m.salt = wire_pb_bytes(a->salt);
	if (a->has_platform)
		m.platform = pack_platform(&scratch, a->platform, a->n_platform);
	wire_pack(&m.base, out);
}

static unsigned order_mark(int c)
{
	return c < 0 ? 0 : c ? MARK_UNSORTED : MARK_DUPLICATE;
}

static unsigned check_strings(char **v, size_t n)
{
	unsigned marks = 0;

	for (size_t i = 1; i < n; i++)
		marks |= order_mark(strcmp(v[i - 1], v[i]));
	return marks;
}

/* REAPI rule 132: relative, clean. Only a directory of the old kind may be "". */
static unsigned check_outputs(char **v, size_t n, bool may_be_empty)
{
	unsigned marks = check_strings(v, n);

	for (size_t i = 0; i < n; i++)
		if (!path_is_relative_clean(v[i]) && !(may_be_empty && !*v[i]))
			marks |= MARK_OUTPUT_PATH;
	return marks;
}

/* REAPI rule 16: by name, then by value; a name may repeat. */
static struct action_pair *unpack_platform(struct arena *a, const Re__Platform *m, size_t *n,
					   unsigned *marks)
{
	struct action_pair *v = ARENA_ARRAY(a, struct action_pair, m->n_properties);
	int c;

	*n = m->n_properties;
	for (size_t i = 0; i < *n; i++) {
		v[i] = (struct action_pair){ m->properties[i]->name, m->properties[i]->value };
		if (!i)
			continue;
		c = strcmp(v[i - 1].name, v[i].name);
		*marks |= order_mark(c ? c : strcmp(v[i - 1].value, v[i].value));
	}
	return v;
}

bool wire_command_unpack(struct arena *a, struct rx_view bytes, struct action *out,
			 struct rx_err *err)
{
	unsigned marks = 0;
	Re__Command *m =
		wire_unpack(a, &re__command__descriptor, bytes, LIMIT_COMMAND_BYTES, &marks, err);

	if (!m)
		return false;
	if (*m->working_directory && !path_is_relative_clean(m->working_directory))
		marks |= MARK_WORKING_DIRECTORY;
	marks |= check_outputs(m->output_paths, m->n_output_paths, false);
	marks |= check_outputs(m->output_files, m->n_output_files, false);
	marks |= check_outputs(m->output_directories, m->n_output_directories, true);
	marks |= check_strings(m->output_node_properties, m->n_output_node_properties);
	out->n_env = m->n_environment_variables;
	out->env = ARENA_ARRAY(a, struct action_pair, out->n_env);
	for (size_t i = 0; i < out->n_env; i++) {
		out->env[i] = (struct action_pair){ m->environment_variables[i]->name,
						    m->environment_variables[i]->value };
		if (i)
			marks |= order_mark(strcmp(out->env[i - 1].name, out->env[i].name));
	}
	out->argv = (const char **)m->arguments;
	out->n_argv = m->n_arguments;
	out->cwd = m->working_directory;
	out->output_paths = (const char **)m->output_paths;
	out->n_output_paths = m->n_output_paths;
	out->output_files = (const char **)m->output_files;
	out->n_output_files = m->n_output_files;
	out->output_directories = (const char **)m->output_directories;
	out->n_output_directories = m->n_output_directories;
	out->output_node_properties = (const char **)m->output_node_properties;
	out->n_output_node_properties = m->n_output_node_properties;
	switch ((int)m->output_directory_format) {
	case OUTPUT_DIRECTORY_ONLY:
	case OUTPUT_TREE_AND_DIRECTORY:
		out->output_format = (enum output_format)m->output_directory_format;
		break;
	default: /* REAPI rule 139 */
		out->output_format = OUTPUT_TREE_ONLY;
		if (m->output_directory_format)
			marks |= MARK_UNKNOWN_FIELD;
	}
	out->has_command_platform = m->platform != NULL;
	out->command_platform = NULL;
	out->n_command_platform = 0;
	if (m->platform)
		out->command_platform =
			unpack_platform(a, m->platform, &out->n_command_platform, &marks);
	out->marks |= marks;
	return true;
}

bool wire_action_unpack(struct arena *a, struct rx_view bytes, struct action *out,
			struct rx_err *err)
{
	unsigned marks = 0;
	enum digest_function f = (enum digest_function)out->digest.function;
	Re__Action *m =
		wire_unpack(a, &re__action__descriptor, bytes, LIMIT_ACTION_BYTES, &marks, err);
	struct digest command, root;

	if (!m)
		return false;
	if (!wire_pb_read_digest(m->command_digest, f, true, "Action.command_digest", &command,
				 err))
		return false;
	f = (enum digest_function)command.function; /* REAPI rule 28 */
	if (!wire_pb_read_digest(m->input_root_digest, f, true, "Action.input_root_digest", &root,
				 err))
		return false;
	if (m->timeout &&
	    (m->timeout->seconds < 0 || m->timeout->nanos < 0 || m->timeout->nanos > 999999999))
		return rx_fail(err, RX_EPARSE, "Action.timeout: %" PRId64 " s %d ns is no duration",
			       m->timeout->seconds, m->timeout->nanos);
	out->command_digest = command;
	out->input_root = root;
	out->has_timeout = m->timeout != NULL;
	out->timeout_s = m->timeout ? m->timeout->seconds : 0;
	out->timeout_ns = m->timeout ? m->timeout->nanos : 0;
	out->do_not_cache = m->do_not_cache;
	out->salt = wire_pb_view(m->salt);
	out->has_platform = m->platform != NULL;
	out->platform = NULL;
	out->n_platform = 0;
	if (m->platform)
		out->platform = unpack_platform(a, m->platform, &out->n_platform, &marks);
	out->marks |= marks;
	return true;
}
