/* pem: reads PEM files and looks whether they are what they should be. */
#include "pem.h"

#include <fcntl.h>

#include "file.h"

static bool looks_right(const char *text, enum pem_kind kind)
{
	if (kind == PEM_CERTIFICATE)
		return strstr(text, "-----BEGIN CERTIFICATE-----") != NULL ||
		       strstr(text, "-----BEGIN TRUSTED CERTIFICATE-----") != NULL;
	const char *begin = strstr(text, "-----BEGIN ");

	return begin && strstr(begin, "PRIVATE KEY-----") != NULL;
}

bool pem_read(const char *path, const char *what, enum pem_kind kind, char **out,
	      struct rx_err *err)
{
	struct rx_buf text = { .max = PEM_MAX_BYTES + 1 };
	struct rx_err why = { 0 };

	if (!file_read(AT_FDCWD, path, PEM_MAX_BYTES, &text, &why)) {
		rx_fail(err, RX_EUSAGE, "TLS %s: %s", what, rx_err_text(&why));
		rx_err_release(&why);
		rx_buf_release(&text);
		return false;
	}
	if (strlen(rx_buf_str(&text)) != text.n || !looks_right(rx_buf_str(&text), kind)) {
		explicit_bzero(text.p, text.n);
		rx_buf_release(&text);
		return rx_fail(err, RX_EUSAGE, "TLS %s: '%s' has no PEM block of a %s", what, path,
			       kind == PEM_CERTIFICATE ? "certificate" : "private key");
	}
	*out = rx_buf_take(&text);
	return true;
}

bool pem_read_pair(const char *cert, const char *key, char **cert_out, char **key_out,
		   struct rx_err *err)
{
	char *c = NULL;

	if (!cert != !key)
		return rx_fail(err, RX_EUSAGE, "TLS %s '%s' was given without its %s",
			       cert ? "certificate" : "key", cert ? cert : key,
			       cert ? "key" : "certificate");
	if (!cert)
		return true;
	if (!pem_read(cert, "certificate", PEM_CERTIFICATE, &c, err))
		return false;
	if (!pem_read(key, "key", PEM_PRIVATE_KEY, key_out, err)) {
		pem_freep(&c);
		return false;
	}
	*cert_out = c;
	return true;
}

void pem_freep(char **pem)
{
	if (*pem)
		explicit_bzero(*pem, strlen(*pem));
	free(*pem);
	*pem = NULL;
}
