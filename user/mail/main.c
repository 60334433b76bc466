// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vrrp-xdp-mail: sends one mail and ends. A program of its own, so that the router holds neither libcurl nor a connection to a relay. Its exit
 * status is 0, a curl error (libcurl-errors(3)), or one of the two below.
 */
#include <curl/curl.h>

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_USAGE = 125, EXIT_SETUP = 124, NOBODY = 65534, ADDR_LEN = 320, HOST_LEN = 256, DATE_LEN = 64 };

struct mail {
	const char *server, *port, *helo, *from, *subject, *body;
	long timeout_s;
	char *const *to; /* NULL-terminated */
	char own_host[HOST_LEN], own_from[ADDR_LEN + HOST_LEN];
};

struct payload {
	char *text; /* owned */
	size_t len, sent;
};

static int usage(void)
{
	fprintf(stderr, "usage: vrrp-xdp-mail -s SERVER [-p PORT] [-t SECONDS] [-H HELO] [-f FROM] -S SUBJECT -b BODY "
			"TO...\n");
	return EXIT_USAGE;
}

static int parse(struct mail *m, int argc, char *argv[])
{
	int c;

	while ((c = getopt(argc, argv, "s:p:t:H:f:S:b:")) != -1) {
		switch (c) {
		case 's':
			m->server = optarg;
			break;
		case 'p':
			m->port = optarg;
			break;
		case 't':
			m->timeout_s = atol(optarg);
			break;
		case 'H':
			m->helo = optarg;
			break;
		case 'f':
			m->from = optarg;
			break;
		case 'S':
			m->subject = optarg;
			break;
		case 'b':
			m->body = optarg;
			break;
		default:
			return usage();
		}
	}
	m->to = argv + optind;
	return m->server && m->subject && m->body && m->timeout_s > 0 && m->to[0] ? 0 : usage();
}

/* What was not given: the host's name, and our user there. */
static void fill_in(struct mail *m)
{
	const struct passwd *pw = getpwuid(getuid());

	if (gethostname(m->own_host, sizeof(m->own_host) - 1) || !m->own_host[0])
		strcpy(m->own_host, "localhost");
	snprintf(m->own_from, sizeof(m->own_from), "%s@%s", pw ? pw->pw_name : "root", m->own_host);
	if (!m->helo)
		m->helo = m->own_host;
	if (!m->from)
		m->from = m->own_from;
}

/* Talking to a relay needs no right at all. */
static int drop_rights(void)
{
	if (geteuid())
		return 0;
	if (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY)) {
		fprintf(stderr, "vrrp-xdp-mail: cannot become user %d: %s\n", NOBODY, strerror(errno));
		return EXIT_SETUP;
	}
	return 0;
}

/* A line break in a value would begin a header of its own. */
static void put_value(FILE *out, const char *value)
{
	for (; *value; value++)
		fputc((unsigned char)*value < ' ' || *value == 0x7f ? ' ' : *value, out);
}

static void put_header(FILE *out, const char *name, const char *value)
{
	fprintf(out, "%s: ", name);
	put_value(out, value);
	fputs("\r\n", out);
}

/* One address per line, so that no line grows beyond what a relay takes. */
static void put_recipients(FILE *out, char *const *to)
{
	fputs("To: ", out);
	for (; *to; to++) {
		put_value(out, *to);
		fputs(to[1] ? ",\r\n " : "\r\n", out);
	}
}

/* RFC 5322: header, empty line, body, each line ended by CR LF. */
static int compose(const struct mail *m, struct payload *p)
{
	FILE *out = open_memstream(&p->text, &p->len);
	time_t now = time(NULL);
	char date[DATE_LEN];
	struct tm tm;
	const char *c;

	if (!out)
		return EXIT_SETUP;
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S %z", localtime_r(&now, &tm));
	put_header(out, "Date", date);
	put_header(out, "From", m->from);
	put_recipients(out, m->to);
	put_header(out, "Subject", m->subject);
	put_header(out, "X-Mailer", "vrrp-xdp");
	fputs("\r\n", out);
	for (c = m->body; *c; c++)
		fputs(*c == '\n' ? "\r\n" : (char[]){ *c, '\0' }, out);
	fputs("\r\n", out);
	return fclose(out) ? EXIT_SETUP : 0;
}

static size_t give(char *to, size_t size, size_t count, void *arg)
{
	struct payload *p = arg;
	size_t n = p->len - p->sent;

	if (n > size * count)
		n = size * count;
	memcpy(to, p->text + p->sent, n);
	p->sent += n;
	return n;
}

/* The address of `Ops <ops@example.com>`, as the envelope wants it. */
static const char *bare(const char *text, char *buf, size_t len)
{
	const char *open_at = strrchr(text, '<'), *close_at = open_at ? strchr(open_at, '>') : NULL;

	if (close_at)
		snprintf(buf, len, "<%.*s>", (int)(close_at - open_at - 1), open_at + 1);
	else
		snprintf(buf, len, "<%s>", text);
	return buf;
}

/* libcurl says EHLO with what follows the host; an IPv6 address goes into brackets. */
static void set_url(CURL *curl, const struct mail *m)
{
	bool v6 = strchr(m->server, ':');
	char url[2 * HOST_LEN + 64];

	snprintf(url, sizeof(url), "smtp://%s%s%s:%s/%s", v6 ? "[" : "", m->server, v6 ? "]" : "", m->port, m->helo);
	curl_easy_setopt(curl, CURLOPT_URL, url);
}

static int deliver(CURL *curl, const struct mail *m, struct payload *p)
{
	struct curl_slist *to = NULL, *more;
	char buf[ADDR_LEN];
	CURLcode code = CURLE_OUT_OF_MEMORY;
	size_t i;

	for (i = 0; m->to[i]; i++) {
		more = curl_slist_append(to, bare(m->to[i], buf, sizeof(buf)));
		if (!more)
			goto out;
		to = more;
	}
	set_url(curl, m);
	curl_easy_setopt(curl, CURLOPT_MAIL_FROM, bare(m->from, buf, sizeof(buf)));
	curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, to);
	curl_easy_setopt(curl, CURLOPT_READFUNCTION, give);
	curl_easy_setopt(curl, CURLOPT_READDATA, p);
	curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* not what http_proxy of some shell says */
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, m->timeout_s);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, 2 * m->timeout_s);
	code = curl_easy_perform(curl);
	if (code)
		fprintf(stderr, "vrrp-xdp-mail: %s port %s: %s\n", m->server, m->port, curl_easy_strerror(code));
out:
	curl_slist_free_all(to);
	return code;
}

int main(int argc, char *argv[])
{
	struct mail m = { .port = "25", .timeout_s = 30 };
	struct payload p = { 0 };
	CURL *curl = NULL;
	int err = parse(&m, argc, argv);

	if (err)
		return err;
	fill_in(&m);
	err = drop_rights();
	if (!err)
		err = compose(&m, &p);
	if (!err) {
		curl = curl_easy_init();
		err = curl ? deliver(curl, &m, &p) : EXIT_SETUP;
	}
	curl_easy_cleanup(curl);
	free(p.text);
	return err;
}
