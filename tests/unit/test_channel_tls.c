/* test_channel_tls: certificates, made afresh by the openssl program, accepted and refused. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <unistd.h>

#include "file.h"
#include "rpc_fixture.h"

/* Everything one test needs: two CAs, a server for 127.0.0.1 and "cache.test", a client. */
struct pki {
	char *dir;
	char *ca, *other_ca, *cert, *key, *client_cert, *client_key, *not_pem;
};

static void sh(const char *dir, const char *script)
{
	char *all = xasprintf("cd '%s' && { %s ; } >log 2>&1", dir, script);

	cr_assert_eq(system(all), 0, "%s", all);
	free(all);
}

static void pki_make(struct pki *p)
{
	struct rx_err err = { 0 };

	cr_assert(file_temp_dir("/tmp", "pki-", &p->dir, &err));
	sh(p->dir, "new='openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2'; "
		   "$new -x509 -keyout ca.key -out ca.pem -subj /CN=test-ca && "
		   "$new -x509 -keyout other.key -out other.pem -subj /CN=other-ca && "
		   "$new -keyout s.key -out s.csr -subj /CN=cache.test && "
		   "printf 'subjectAltName=DNS:cache.test,IP:127.0.0.1' >san && "
		   "openssl x509 -req -in s.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 "
		   "-extfile san -out s.pem && "
		   "$new -keyout n.key -out n.csr -subj /CN=cache.test && "
		   "printf 'subjectAltName=DNS:cache.test' >nsan && "
		   "openssl x509 -req -in n.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 "
		   "-extfile nsan -out n.pem && "
		   "$new -keyout c.key -out c.csr -subj /CN=client && "
		   "openssl x509 -req -in c.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 "
		   "-out c.pem && echo hello >hello");
	p->ca = path_join(p->dir, "ca.pem");
	p->other_ca = path_join(p->dir, "other.pem");
	p->cert = path_join(p->dir, "s.pem");
	p->key = path_join(p->dir, "s.key");
	p->client_cert = path_join(p->dir, "c.pem");
	p->client_key = path_join(p->dir, "c.key");
	p->not_pem = path_join(p->dir, "hello");
}

static void pki_drop(struct pki *p)
{
	struct rx_err err = { 0 };

	cr_assert(file_remove_tree(AT_FDCWD, p->dir, &err));
	free(p->dir);
	free(p->ca);
	free(p->other_ca);
	free(p->cert);
	free(p->key);
	free(p->client_cert);
	free(p->client_key);
	free(p->not_pem);
}

/* The status of one call with these options; o->target is filled in. */
static int try_it(struct fixture *f, struct channel_options o, char *peer, size_t n)
{
	struct arena a = { 0 };
	struct rx_err err = { 0 };
	struct rx_view reply = { "", 0 };
	char *target = xasprintf("127.0.0.1:%d", listen_port(f->listener));

	o.target = target;
	struct channel *c = fixture_channel(f, &o);
	struct call_options call = { .timeout_ms = 10000 };

	if (!call_unary(c, "/t.T/Peer", rpc_body_copy(RX_VIEW("")), &call, &a, &reply, NULL, &err))
		snprintf(peer, n, "%s", rx_err_text(&err));
	else
		snprintf(peer, n, "%.*s", (int)reply.n, reply.p);
	int code = err.grpc_status;

	rx_err_release(&err);
	channel_free(c);
	free(target);
	arena_release(&a);
	return code;
}

Test(channel_tls, own_ca_is_believed_and_others_are_not)
{
	struct pki p;
	struct fixture f;
	char got[400];

	pki_make(&p);
	fixture_open(&f, &(struct listen_options){
				 .address = "127.0.0.1:0", .tls_cert = p.cert, .tls_key = p.key });
	cr_assert_eq(try_it(&f, (struct channel_options){ .tls = true, .tls_ca = p.ca }, got,
			    sizeof(got)),
		     RPC_OK, "%s", got);
	cr_assert_not_null(strstr(got, " unknown"));
	cr_assert_eq(try_it(&f, (struct channel_options){ .tls = true, .tls_ca = p.other_ca }, got,
			    sizeof(got)),
		     RPC_UNAVAILABLE);
	cr_assert_not_null(strstr(got, "certificate verify failed"), "%s", got);
	/* the system's roots do not know our CA */
	cr_assert_eq(try_it(&f, (struct channel_options){ .tls = true }, got, sizeof(got)),
		     RPC_UNAVAILABLE);
	/* and plain text is not understood */
	cr_assert_eq(try_it(&f, (struct channel_options){ .tls = false }, got, sizeof(got)),
		     RPC_UNAVAILABLE);
	fixture_close(&f);
	pki_drop(&p);
}

Test(channel_tls, the_name_must_fit_or_be_given)
{
	struct pki p;
	struct fixture f;
	char got[400];

	pki_make(&p);
	char *cert = path_join(p.dir, "n.pem"), *key = path_join(p.dir, "n.key");

	fixture_open(&f, &(struct listen_options){
				 .address = "127.0.0.1:0", .tls_cert = cert, .tls_key = key });
	struct channel_options o = { .tls = true, .tls_ca = p.ca };

	cr_assert_eq(try_it(&f, o, got, sizeof(got)), RPC_UNAVAILABLE);
	cr_assert_not_null(strstr(got, "127.0.0.1"), "%s", got);
	o.tls_server_name = "cache.test";
	cr_assert_eq(try_it(&f, o, got, sizeof(got)), RPC_OK, "%s", got);
	o.tls_server_name = "other.test";
	cr_assert_eq(try_it(&f, o, got, sizeof(got)), RPC_UNAVAILABLE);
	free(cert);
	free(key);
	fixture_close(&f);
	pki_drop(&p);
}

Test(channel_tls, client_certificates_are_demanded_and_checked)
{
	struct pki p;
	struct fixture f;
	char got[400];

	pki_make(&p);
	fixture_open(&f, &(struct listen_options){ .address = "127.0.0.1:0",
						   .tls_cert = p.cert,
						   .tls_key = p.key,
						   .tls_client_ca = p.ca });
	struct channel_options o = { .tls = true, .tls_ca = p.ca };

	cr_assert_eq(try_it(&f, o, got, sizeof(got)), RPC_UNAVAILABLE, "%s", got);
	o.tls_cert = p.client_cert;
	o.tls_key = p.client_key;
	cr_assert_eq(try_it(&f, o, got, sizeof(got)), RPC_OK, "%s", got);
	cr_assert_not_null(strstr(got, " authenticated"), "%s", got);
	o.tls_key = p.key; /* of another certificate; gRPC 1.51 says "empty address list" */
	cr_assert_eq(try_it(&f, o, got, sizeof(got)), RPC_UNAVAILABLE, "%s", got);
	cr_assert_not_null(strstr(got, "does the key fit its certificate?"), "%s", got);
	o.tls_key = p.client_key;
	fixture_close(&f);
	fixture_open(&f, &(struct listen_options){ .address = "127.0.0.1:0",
						   .tls_cert = p.cert,
						   .tls_key = p.key,
						   .tls_client_ca = p.other_ca });
	cr_assert_eq(try_it(&f, o, got, sizeof(got)), RPC_UNAVAILABLE, "%s", got);
	fixture_close(&f);
	pki_drop(&p);
}

static void refused(struct loop *l, struct channel_options o, const char *names)
{
	struct rx_err err = { 0 };

	o.target = "127.0.0.1:1";
	o.tls = true;
	cr_assert_null(channel_new(l, &o, &err));
	cr_assert_eq(err.code, RX_EUSAGE);
	cr_assert_not_null(strstr(rx_err_text(&err), names), "%s", rx_err_text(&err));
	rx_err_release(&err);
}

Test(channel_tls, wrong_files_are_named)
{
	struct pki p;
	struct fixture f;
	struct rx_err err = { 0 };

	pki_make(&p);
	fixture_open(&f, NULL);
	refused(f.loop, (struct channel_options){ .tls_ca = "/nonexistent/ca.pem" },
		"/nonexistent/ca.pem");
	refused(f.loop, (struct channel_options){ .tls_ca = p.not_pem }, p.not_pem);
	refused(f.loop, (struct channel_options){ .tls_ca = p.key }, p.key);
	refused(f.loop, (struct channel_options){ .tls_ca = p.ca, .tls_cert = p.cert }, p.cert);
	refused(f.loop, (struct channel_options){ .tls_ca = p.ca, .tls_key = p.key }, p.key);
	refused(f.loop,
		(struct channel_options){ .tls_ca = p.ca, .tls_cert = p.cert, .tls_key = p.cert },
		p.cert);
	struct listen_options o = { .address = "127.0.0.1:0",
				    .tls_cert = p.cert,
				    .tls_key = p.not_pem };

	cr_assert_null(listen_new(f.loop, f.pool, &o, NULL, 0, NULL, &err));
	cr_assert_not_null(strstr(rx_err_text(&err), p.not_pem));
	rx_err_reset(&err);
	o.tls_key = p.client_key; /* a key, but not of this certificate */
	cr_assert_null(listen_new(f.loop, f.pool, &o, NULL, 0, NULL, &err));
	rx_err_reset(&err);
	o = (struct listen_options){ .address = "127.0.0.1:0", .tls_client_ca = p.ca };
	cr_assert_null(listen_new(f.loop, f.pool, &o, NULL, 0, NULL, &err));
	cr_assert_eq(err.code, RX_EUSAGE);
	rx_err_release(&err);
	fixture_close(&f);
	pki_drop(&p);
}
