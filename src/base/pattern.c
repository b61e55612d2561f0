/* pattern: PCRE2's 8-bit library, JIT where there is one. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "pattern.h"

#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

struct pattern {
	pcre2_code *code;
	pcre2_match_context *limits;
	char *text;
};

struct pattern *pattern_new(const char *regex, struct rx_err *err)
{
	int number;
	size_t column;
	/* Paths and command lines are mostly UTF-8, and where they are not the good parts still
	 * match. */
	pcre2_code *code =
		pcre2_compile((PCRE2_SPTR)regex, strlen(regex),
			      PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C,
			      &number, &column, NULL);

	if (!code) {
		PCRE2_UCHAR why[256] = "unknown";
		(void)pcre2_get_error_message(number, why, RX_COUNT(why));
		rx_fail(err, RX_EUSAGE, "regular expression '%s': column %zu: %s", regex,
			column + 1, (const char *)why);
		return NULL;
	}
	/* Without JIT (no executable memory allowed) matching is slower, with the same results. */
	(void)pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
	struct pattern *p = xcalloc(1, sizeof(*p));
	p->code = code;
	p->text = xstrdup(regex);
	p->limits = pcre2_match_context_create(NULL);
	if (!p->limits)
		abort();
	pcre2_set_match_limit(p->limits, PATTERN_MATCH_LIMIT);
	pcre2_set_depth_limit(p->limits, PATTERN_DEPTH_LIMIT);
	return p;
}

void pattern_free(struct pattern *p)
{
	if (!p)
		return;
	pcre2_code_free(p->code);
	pcre2_match_context_free(p->limits);
	free(p->text);
	free(p);
}

bool pattern_search(const struct pattern *p, struct rx_view subject, bool *matched,
		    struct rx_err *err)
{
	/* One pair: nobody asks for groups. */
	pcre2_match_data *data = pcre2_match_data_create(1, NULL);

	if (!data)
		abort();
	int rc = pcre2_match(p->code, (PCRE2_SPTR)(subject.n ? subject.p : ""), subject.n, 0, 0,
			     data, p->limits);
	/* JIT has a small stack of its own; the interpreter has the limits above. */
	if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
		rc = pcre2_match(p->code, (PCRE2_SPTR)subject.p, subject.n, 0, PCRE2_NO_JIT, data,
				 p->limits);
	pcre2_match_data_free(data);
	if (rc >= 0 || rc == PCRE2_ERROR_NOMATCH) {
		*matched = rc >= 0;
		return true;
	}
	PCRE2_UCHAR why[256] = "unknown";
	(void)pcre2_get_error_message(rc, why, RX_COUNT(why));
	return rx_fail(err, RX_ELIMIT, "regular expression '%s': gave up on %zu bytes: %s", p->text,
		       subject.n, (const char *)why);
}

const char *pattern_text(const struct pattern *p)
{
	return p->text;
}
