/* wire_status: google.rpc.Status with the details that say what to do next; RequestMetadata. */
#include "wire_status.h"

#include "error_details.pb-c.h"
#include "wire_pb.h"

/* Cuts to LIMIT_STATUS_MESSAGE without tearing a character. */
static const char *cut(struct arena *a, const char *s)
{
	size_t n = strlen(s);

	if (n <= LIMIT_STATUS_MESSAGE)
		return s;
	n = LIMIT_STATUS_MESSAGE;
	while (n && ((unsigned char)s[n] & 0xc0) == 0x80)
		n--;
	return arena_strn(a, s, n);
}

/* A duration as milliseconds, rounded up; nonsense is 0. */
static int64_t milliseconds(const Pb__Duration *d)
{
	int64_t ms;

	if (!d || d->seconds < 0 || d->nanos < 0 || d->nanos > 999999999 ||
	    __builtin_mul_overflow(d->seconds, (int64_t)1000, &ms) ||
	    __builtin_add_overflow(ms, (int64_t)(d->nanos + 999999) / 1000000, &ms))
		return 0;
	return ms;
}

/* REAPI rules 117, 119: a subject that does not parse is no error, it just names nothing. */
static bool read_subject(const char *subject, struct digest *out)
{
	RX_CLEANUP(arena_release) struct arena scratch = { 0 };
	RX_CLEANUP(rx_err_release) struct rx_err ignored = { 0 };
	struct resource r;

	if (!resource_parse(&scratch, rx_view_str(subject), &r, &ignored) || r.upload ||
	    r.compressor != COMPRESSOR_IDENTITY)
		return false;
	*out = r.digest;
	return true;
}

static void add_violations(struct arena *a, const Rpc__PreconditionFailure *m,
			   struct wire_status *out)
{
	struct wire_violation *v =
		ARENA_ARRAY(a, struct wire_violation, out->n_violations + m->n_violations);

	if (out->n_violations)
		memcpy(v, out->violations, out->n_violations * sizeof(*v));
	for (size_t i = 0; i < m->n_violations; i++) {
		struct wire_violation *new = &v[out->n_violations++];

		new->type = cut(a, m->violations[i]->type);
		new->subject = cut(a, m->violations[i]->subject);
		new->description = cut(a, m->violations[i]->description);
		new->is_missing = strcmp(new->type, "MISSING") == 0 &&
				  read_subject(new->subject, &new->digest);
	}
	out->violations = v;
}

static void read_detail(struct arena *a, const Pb__Any *any, struct wire_status *out)
{
	RX_CLEANUP(rx_err_release) struct rx_err ignored = { 0 };
	struct rx_view bytes = wire_pb_view(any->value);
	unsigned marks = 0;

	if (wire_pb_is(any, &rpc__retry_info__descriptor)) {
		const Rpc__RetryInfo *m = wire_unpack(a, &rpc__retry_info__descriptor, bytes,
						      LIMIT_RESULT_BYTES, &marks, &ignored);

		if (m && m->retry_delay) {
			out->has_retry = true;
			out->retry_ms = milliseconds(m->retry_delay);
		}
	} else if (wire_pb_is(any, &rpc__precondition_failure__descriptor)) {
		const Rpc__PreconditionFailure *m =
			wire_unpack(a, &rpc__precondition_failure__descriptor, bytes,
				    LIMIT_RESULT_BYTES, &marks, &ignored);

		if (m)
			add_violations(a, m, out);
	}
}

void wire_pb_read_status(struct arena *a, const Rpc__Status *m, struct wire_status *out)
{
	struct wire_status s = { .message = "" };

	if (m) {
		s.code = m->code;
		s.message = cut(a, m->message);
		for (size_t i = 0; i < m->n_details; i++)
			read_detail(a, m->details[i], &s);
	}
	s.all_missing = s.n_violations > 0;
	for (size_t i = 0; i < s.n_violations; i++)
		s.all_missing = s.all_missing && s.violations[i].is_missing;
	*out = s;
}

bool wire_status_unpack(struct arena *a, struct rx_view bytes, struct wire_status *out,
			struct rx_err *err)
{
	unsigned marks = 0;
	Rpc__Status *m =
		wire_unpack(a, &rpc__status__descriptor, bytes, LIMIT_RESULT_BYTES, &marks, err);

	if (!m)
		return false;
	wire_pb_read_status(a, m, out);
	return true;
}

static Pb__Any *pack_violations(struct arena *a, const struct wire_status *s)
{
	Rpc__PreconditionFailure m = RPC__PRECONDITION_FAILURE__INIT;

	m.n_violations = s->n_violations;
	m.violations = ARENA_ARRAY(a, Rpc__PreconditionFailure__Violation *, s->n_violations);
	for (size_t i = 0; i < s->n_violations; i++) {
		const struct wire_violation *from = &s->violations[i];
		Rpc__PreconditionFailure__Violation *to =
			PB_NEW(a, Rpc__PreconditionFailure__Violation,
			       rpc__precondition_failure__violation);

		to->type = wire_pb_text(from->is_missing && !from->type ? "MISSING" : from->type);
		to->subject = wire_pb_text(from->subject);
		if (from->is_missing && !from->subject) {
			RX_CLEANUP(rx_buf_release) struct rx_buf subject = { 0 };

			resource_add_subject(&subject, &from->digest);
			to->subject = arena_str(a, rx_buf_str(&subject));
		}
		to->description = wire_pb_text(from->description);
		m.violations[i] = to;
	}
	return wire_pb_any(a, &m.base);
}

static Pb__Any *pack_retry(struct arena *a, int64_t ms)
{
	Pb__Duration delay = PB__DURATION__INIT;
	Rpc__RetryInfo m = RPC__RETRY_INFO__INIT;

	delay.seconds = ms / 1000;
	delay.nanos = (int32_t)(ms % 1000) * 1000000;
	m.retry_delay = &delay;
	return wire_pb_any(a, &m.base);
}

Rpc__Status *wire_pb_status(struct arena *a, const struct wire_status *s)
{
	Rpc__Status *m = PB_NEW(a, Rpc__Status, rpc__status);

	m->code = s->code;
	m->message = wire_pb_text(s->message);
	m->details = ARENA_ARRAY(a, Pb__Any *, 2);
	if (s->n_violations)
		m->details[m->n_details++] = pack_violations(a, s);
	if (s->has_retry)
		m->details[m->n_details++] = pack_retry(a, s->retry_ms);
	return m;
}

void wire_status_pack(const struct wire_status *s, struct rx_buf *out)
{
	RX_CLEANUP(arena_release) struct arena scratch = { 0 };

	wire_pack(&wire_pb_status(&scratch, s)->base, out);
}

void wire_metadata_pack(const struct wire_metadata *m, struct rx_buf *out)
{
	Re__RequestMetadata r = RE__REQUEST_METADATA__INIT;
	Re__ToolDetails tool = RE__TOOL_DETAILS__INIT;

	tool.tool_name = wire_pb_text(m->tool_name);
	tool.tool_version = wire_pb_text(m->tool_version);
	if (*tool.tool_name || *tool.tool_version)
		r.tool_details = &tool;
	r.action_id = wire_pb_text(m->action_id);
	r.tool_invocation_id = wire_pb_text(m->invocation_id);
	r.correlated_invocations_id = wire_pb_text(m->correlated_id);
	r.action_mnemonic = wire_pb_text(m->mnemonic);
	r.target_id = wire_pb_text(m->target_id);
	r.configuration_id = wire_pb_text(m->configuration_id);
	wire_pack(&r.base, out);
}

bool wire_metadata_unpack(struct arena *a, struct rx_view bytes, struct wire_metadata *out,
			  struct rx_err *err)
{
	unsigned marks = 0;
	const Re__RequestMetadata *m = wire_unpack(a, &re__request_metadata__descriptor, bytes,
						   LIMIT_RESULT_BYTES, &marks, err);

	if (!m)
		return false;
	*out = (struct wire_metadata){
		.tool_name = m->tool_details ? m->tool_details->tool_name : "",
		.tool_version = m->tool_details ? m->tool_details->tool_version : "",
		.action_id = m->action_id,
		.invocation_id = m->tool_invocation_id,
		.correlated_id = m->correlated_invocations_id,
		.mnemonic = m->action_mnemonic,
		.target_id = m->target_id,
		.configuration_id = m->configuration_id,
	};
	return true;
}
