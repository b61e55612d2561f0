/* caps: GetCapabilities once an endpoint, and what follows from it. */
#include "caps.h"

#include "attempt.h"
#include "client_state.h"
#include "log.h"

#define API_MAJOR      2
#define API_MINOR_HIGH 12

static struct wire_semver version(int minor)
{
	return (struct wire_semver){ .major = API_MAJOR, .minor = minor, .present = true };
}

/* A bare pre-release or an absent message says nothing about what is spoken. */
static bool says_something(const struct wire_semver *v)
{
	return v->present && (v->major > 0 || v->minor > 0);
}

/* The server works, but not with this program. */
static bool not_for_us(struct rx_err *err)
{
	err->service = true;
	rx_hint(err, "try: another --remote");
	return false;
}

/* REAPI rules 38, 39 */
static bool settle_version(struct client *c, enum client_role role, struct caps *caps,
			   struct rx_err *err)
{
	const struct wire_capabilities *raw = &caps->raw;
	struct wire_semver ours_low = version(0), ours_high = version(API_MINOR_HIGH);
	struct wire_semver low = raw->low, high = raw->high, oldest;

	if (!says_something(&high)) {
		caps->api_major = API_MAJOR;
		caps->api_minor = 0;
		return true;
	}
	if (!says_something(&low))
		low = high;
	oldest = says_something(&raw->deprecated) ? raw->deprecated : low;
	if (high.major < API_MAJOR || wire_semver_cmp(&oldest, &ours_high) > 0) {
		RX_CLEANUP(rx_buf_release) struct rx_buf place = { 0 };

		client_add_place(c, role, &place);
		rx_fail_rpc(
			err, RPC_UNIMPLEMENTED,
			"%s: GetCapabilities: the server speaks REAPI %d.%d to %d.%d, this program "
			"%d.0 to %d.%d",
			rx_buf_str(&place), oldest.major, oldest.minor, high.major, high.minor,
			API_MAJOR, API_MAJOR, API_MINOR_HIGH);
		return not_for_us(err);
	}
	if (wire_semver_cmp(&high, &ours_high) > 0)
		high = ours_high;
	if (wire_semver_cmp(&high, &ours_low) < 0)
		high = ours_low; /* a pre-release of 2.0 */
	caps->api_major = high.major;
	caps->api_minor = high.minor;
	if (wire_semver_cmp(&low, &ours_high) > 0)
		caps->warning = arena_printf(&c->caps_arena,
					     "%s deprecates REAPI %d.%d, it wants %d.%d or later",
					     client_display(c, role), high.major, high.minor,
					     low.major, low.minor);
	return true;
}

static bool has_function(const enum digest_function *v, size_t n, enum digest_function f)
{
	if (!n)
		return true; /* nothing said */
	for (size_t i = 0; i < n; i++) {
		if (v[i] == f)
			return true;
	}
	return false;
}

/* REAPI rule 41: offered by each half that the server has. */
static bool offers(const struct wire_capabilities *raw, enum digest_function f)
{
	return has_function(raw->cache_functions, raw->has_cache ? raw->n_cache_functions : 0, f) &&
	       has_function(raw->exec_functions, raw->has_execution ? raw->n_exec_functions : 0, f);
}

static void add_functions(struct rx_buf *out, const struct wire_capabilities *raw)
{
	const enum digest_function *v =
		raw->n_cache_functions ? raw->cache_functions : raw->exec_functions;
	size_t n = raw->n_cache_functions ? raw->n_cache_functions : raw->n_exec_functions;
	bool any = false;

	for (size_t i = 0; i < n; i++) {
		if (!offers(raw, v[i]))
			continue;
		rx_buf_addf(out, "%s%s", any ? ", " : "", digest_function_name(v[i]));
		any = true;
	}
	if (!any)
		rx_buf_add_str(out, "none");
}

static bool settle_function(struct client *c, enum client_role role, struct caps *caps,
			    enum digest_function want, struct rx_err *err)
{
	RX_CLEANUP(rx_buf_release) struct rx_buf offered = { 0 };
	const struct wire_capabilities *raw = &caps->raw;

	if (want == DIGEST_UNKNOWN && offers(raw, DIGEST_SHA256))
		want = DIGEST_SHA256;
	for (size_t i = 0; want == DIGEST_UNKNOWN && i < raw->n_cache_functions; i++) {
		if (digest_function_supported(raw->cache_functions[i]) &&
		    offers(raw, raw->cache_functions[i]))
			want = raw->cache_functions[i];
	}
	for (size_t i = 0; want == DIGEST_UNKNOWN && i < raw->n_exec_functions; i++) {
		if (digest_function_supported(raw->exec_functions[i]) &&
		    offers(raw, raw->exec_functions[i]))
			want = raw->exec_functions[i];
	}
	if (want != DIGEST_UNKNOWN && digest_function_supported(want) && offers(raw, want)) {
		caps->function = want;
		return true;
	}
	add_functions(&offered, raw);
	if (want == DIGEST_UNKNOWN) {
		rx_fail_rpc(err, RPC_UNIMPLEMENTED,
			    "%s: GetCapabilities: the server offers no digest function of ours; it "
			    "has %s",
			    client_display(c, role), rx_buf_str(&offered));
		return not_for_us(err);
	}
	return rx_fail(err, RX_EUSAGE, "%s does not offer digest function %s; it has %s",
		       client_display(c, role), digest_function_name(want), rx_buf_str(&offered));
}

static bool ask(struct client *c, enum client_role role, struct caps *out, struct rx_err *err)
{
	RX_CLEANUP(arena_release) struct arena a = { 0 };
	RX_CLEANUP(rx_buf_release) struct rx_buf req = { 0 };
	struct rpc_status status = { 0 };
	struct rx_view reply;

	wire_capabilities_request_pack(c->instance, &req);
	if (!client_unary(c, role, WIRE_CAPABILITIES, rx_view_of(&req), RPC_UNIMPLEMENTED, &a,
			  &reply, &status, err))
		return false;
	if (status.code == RPC_UNIMPLEMENTED) {
		/* REAPI rule 56: a server without the service still gets a working client. */
		out->assumed = true;
		out->raw.has_cache = out->raw.has_execution = true;
		out->raw.update_enabled = out->raw.exec_enabled = true;
		rx_note("%s does not tell its capabilities: assuming REAPI 2.0 and sha256",
			client_display(c, role));
		return true;
	}
	if (!wire_capabilities_unpack(&c->caps_arena, arena_view(&c->caps_arena, reply), &out->raw,
				      err)) {
		struct attempt place;

		attempt_init(&place, c, role, WIRE_CAPABILITIES);
		return attempt_wrap(&place, err);
	}
	return true;
}

/* Under caps_lock. The function is settled by the CAS; the other endpoints must have it too. */
static bool learn(struct client *c, enum client_role role, enum digest_function want,
		  struct rx_err *err)
{
	struct caps_slot *slot = &c->caps[c->role[role].caps_slot];
	struct caps caps = { 0 };

	if (slot->known)
		return true;
	if (!ask(c, role, &caps, err) || !settle_version(c, role, &caps, err) ||
	    !settle_function(c, role, &caps, want, err))
		return false;
	caps.max_batch = RX_MAX(caps.raw.max_batch, 0);
	caps.needs_old_outputs = caps.api_minor < 1;                        /* REAPI rule 131 */
	caps.can_execute = caps.raw.has_execution && caps.raw.exec_enabled; /* REAPI rule 42 */
	caps.can_update_ac = caps.raw.has_cache && caps.raw.update_enabled;
	if (caps.warning)
		rx_note("%s", caps.warning);
	slot->caps = caps;
	slot->known = true;
	return true;
}

const struct caps *caps_get_role(struct client *c, enum client_role role, struct rx_err *err)
{
	struct caps *cas = &c->caps[c->role[CLIENT_CAS].caps_slot].caps;
	bool ok;

	if (role == CLIENT_CAS) {
		struct caps *known = atomic_load(&c->cas_caps);

		if (known)
			return known;
	}
	pthread_mutex_lock(&c->caps_lock);
	ok = learn(c, CLIENT_CAS, c->wanted, err);
	if (ok)
		atomic_store(&c->cas_caps, cas);
	if (ok && role != CLIENT_CAS)
		ok = learn(c, role, cas->function, err);
	pthread_mutex_unlock(&c->caps_lock);
	return ok ? &c->caps[c->role[role].caps_slot].caps : NULL;
}

const struct caps *caps_get(struct client *c, struct rx_err *err)
{
	return caps_get_role(c, CLIENT_CAS, err);
}

enum digest_function client_function(const struct client *c)
{
	const struct caps *known = atomic_load(&c->cas_caps);

	if (known)
		return (enum digest_function)known->function;
	return c->wanted != DIGEST_UNKNOWN ? c->wanted : DIGEST_SHA256;
}
