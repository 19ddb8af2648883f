/* Tests daemon/admin_http.c, admin_http_uv.c, admin_listen.c and the routes of admin_api.c over real sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "admin_listen.h"
#include "fake_daemon.h"

struct answer {
    int status;
    char head[4096];
    char *body;
    size_t body_n;
};

static int connect_local(const struct fake_daemon *d)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(sa.sun_path, sizeof sa.sun_path, "%s", d->socket);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    return fd;
}

static int connect_tcp(const struct fake_daemon *d)
{
    const struct inet_endpoint e = { .addr = { 4, { 127, 0, 0, 1 } }, .port = d->port };
    struct sockaddr_storage sa;
    socklen_t n = inet_to_sockaddr(&e, &sa);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&sa, n), 0);
    return fd;
}

/* All until the end of the connection. */
static struct answer read_answer(int fd)
{
    struct answer a = { 0 };
    char *all = malloc(1 << 20), *end;
    size_t n = 0;
    ssize_t got;

    while ((got = read(fd, all + n, (1 << 20) - 1 - n)) > 0)
        n += (size_t)got;
    close(fd);
    all[n] = '\0';
    end = strstr(all, "\r\n\r\n");
    if (!end)
        fail_msg("no answer: %zu bytes '%.200s'", n, all);
    a.status = atoi(all + 9);
    snprintf(a.head, sizeof a.head, "%.*s", (int)(end - all), all);
    a.body_n = n - (size_t)(end + 4 - all);
    a.body = malloc(a.body_n + 1);
    memcpy(a.body, end + 4, a.body_n + 1);
    free(all);
    return a;
}

static void send_text(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static struct answer raw(int fd, const char *request)
{
    send_text(fd, request);
    return read_answer(fd);
}

static struct answer ask(int fd, const char *method, const char *target, const char *more, const char *body)
{
    char head[8192];

    snprintf(head, sizeof head, "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s", method, target, more);
    send_text(fd, head);
    if (body) {
        snprintf(head, sizeof head, "Content-Length: %zu\r\n", strlen(body));
        send_text(fd, head);
    }
    send_text(fd, "\r\n");
    if (body)
        send_text(fd, body);
    return read_answer(fd);
}

static struct answer get(const struct fake_daemon *d, const char *target)
{
    return ask(connect_local(d), "GET", target, "", NULL);
}

static struct answer post(const struct fake_daemon *d, const char *target, const char *body)
{
    return ask(connect_local(d), "POST", target, "Content-Type: application/json\r\n", body);
}

static json_t *json_of(struct answer a, int status)
{
    json_t *json = json_loadb(a.body, a.body_n, JSON_REJECT_DUPLICATES, NULL);

    if (a.status != status || !json)
        fail_msg("status %d, not %d: %s", a.status, status, a.body);
    for (size_t i = 0; i + 1 < a.body_n; i++)
        assert_true((unsigned char)a.body[i] >= 0x20 && a.body[i] != 0x7F);
    free(a.body);
    return json;
}

/* A problem document with this status, and a piece of its detail. */
static void expect_problem(struct answer a, int status, const char *detail)
{
    json_t *json = json_of(a, status);

    assert_non_null(strstr(a.head, "Content-Type: application/problem+json"));
    assert_int_equal(json_integer_value(json_object_get(json, "status")), status);
    assert_non_null(json_string_value(json_object_get(json, "title")));
    if (!strstr(json_string_value(json_object_get(json, "detail")), detail))
        fail_msg("detail '%s', wanted '%s'", json_string_value(json_object_get(json, "detail")), detail);
    json_decref(json);
}

static int start(void **state)
{
    *state = malloc(sizeof(struct fake_daemon));
    fake_daemon_start(*state);
    return 0;
}

static int stop(void **state)
{
    fake_daemon_stop(*state);
    free(*state);
    return 0;
}

/* ---------------------------------------------------------------- access */
static void tcp_needs_a_token_and_the_socket_does_not(void **state)
{
    struct fake_daemon *d = *state;
    struct answer a = ask(connect_tcp(d), "GET", "/v1/status", "", NULL);

    assert_non_null(strstr(a.head, "WWW-Authenticate: Bearer"));
    expect_problem(a, 401, "token");
    expect_problem(ask(connect_tcp(d), "GET", "/v1/status", "Authorization: Bearer right-toke\r\n", NULL), 401, "token");
    expect_problem(ask(connect_tcp(d), "GET", "/v1/nothing", "", NULL), 401, "token");
    expect_problem(ask(connect_tcp(d), "POST", "/v1/actions", "", "{}"), 401, "token");
    json_decref(json_of(ask(connect_tcp(d), "GET", "/v1/status", "Authorization: Bearer right-token\r\n", NULL), 200));
    json_decref(json_of(ask(connect_tcp(d), "GET", "/healthz", "", NULL), 200));
    json_decref(json_of(get(d, "/v1/status"), 200));
}

static void what_does_not_fit_is_refused_with_the_right_status(void **state)
{
    struct fake_daemon *d = *state;
    struct answer a = get(d, "/v1/actions");

    assert_non_null(strstr(a.head, "Allow: POST"));
    expect_problem(a, 405, "method");
    expect_problem(get(d, "/v1/nothing"), 404, "path");
    expect_problem(get(d, "/v1/queues/"), 404, "path");
    expect_problem(get(d, "/"), 404, "path");
    expect_problem(post(d, "/v1/queues", "{}"), 405, "method");
    expect_problem(ask(connect_local(d), "DELETE", "/v1/queues", "", NULL), 405, "method");
    expect_problem(get(d, "/v1/queues?limit=0"), 400, "limit");
    expect_problem(get(d, "/v1/queues?limit=1001"), 400, "limit");
    expect_problem(get(d, "/v1/queues?limit=many"), 400, "limit");
    expect_problem(get(d, "/v1/queues?limit="), 400, "limit");
    expect_problem(get(d, "/v1/queues?limit=1&limit=1"), 400, "twice");
    expect_problem(get(d, "/v1/queues?colour=red"), 400, "unknown");
    expect_problem(get(d, "/v1/status?limit=1"), 400, "unknown");
    expect_problem(get(d, "/v1/queues?state=odd"), 400, "state");
    expect_problem(get(d, "/v1/queues?domain=a..b"), 400, "domain");
    expect_problem(get(d, "/v1/queues?tenant=%zz"), 400, "malformed");
    expect_problem(get(d, "/v1/queues/acme/mta1/nosuch.test"), 404, "nosuch");
    expect_problem(get(d, "/v1/queues/acme/mta1/nosuch.test/messages"), 404, "nosuch");
    expect_problem(get(d, "/v1/messages/01ARZ3NDEKTSV4RRFFQ69G5FAW"), 404, "01ARZ3NDEKTSV4RRFFQ69G5FAW");
    expect_problem(get(d, "/v1/messages/01ARZ3NDEKTSV4RRFFQ69G5FAW/raw"), 404, "message");
    expect_problem(get(d, "/v1/messages/x"), 404, "message id");
    expect_problem(get(d, "/v1/tasks/x"), 404, "task");
    expect_problem(get(d, "/v1/jobs/acme/none"), 404, "acme/none");
    expect_problem(ask(connect_local(d), "POST", "/v1/actions", "Content-Type: text/plain\r\n", "{}"), 415, "json");
    expect_problem(post(d, "/v1/actions", "{\"do\": \"drop\", \"select\": {}}"), 400, "empty");
    expect_problem(post(d, "/v1/drain", "{\"of\": true}"), 400, "of");
    expect_problem(post(d, "/v1/reload", "[]"), 400, "object");
}

static void framing_that_could_smuggle_is_refused(void **state)
{
    struct fake_daemon *d = *state;

    expect_problem(raw(connect_local(d),
                       "POST /v1/drain HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"
                       "2\r\n{}\r\n0\r\n\r\n"),
                   400, "Transfer-Encoding");
    expect_problem(
        raw(connect_local(d), "POST /v1/drain HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}"), 400,
        "twice");
    expect_problem(
        raw(connect_local(d), "POST /v1/drain HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), 400,
        "chunked");
    expect_problem(raw(connect_local(d), "GET /v1/status HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n"), 400, "twice");
    assert_int_equal(d->relay.acts, 0);
    assert_false(d->relay.draining);
}

static void a_body_may_be_chunked(void **state)
{
    struct fake_daemon *d = *state;

    json_decref(json_of(raw(connect_local(d),
                            "POST /v1/drain HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n"
                            "\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"),
                        200));
    assert_true(d->relay.draining);
}

static void large_bodies_and_targets_are_refused(void **state)
{
    struct fake_daemon *d = *state;
    char *target = malloc(20000);
    int fd = connect_local(d);

    expect_problem(raw(fd, "POST /v1/actions HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n"), 413, "64 KiB");
    memset(target, '[', 19999);
    target[19999] = '\0';
    fd = connect_tcp(d);
    send_text(fd, "POST /v1/actions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer second\r\n"
                  "Content-Length: 79996\r\n\r\n");
    for (int i = 0; i < 4; i++)
        send_text(fd, target);
    expect_problem(read_answer(fd), 413, "64 KiB");
    fd = connect_local(d);
    send_text(fd, "POST /v1/actions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
                  "Transfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 20; i++) {
        memset(target, 'x', 4096);
        target[4096] = '\0';
        send_text(fd, "1000\r\n");
        send_text(fd, target);
        send_text(fd, "\r\n");
    }
    expect_problem(raw(fd, "0\r\n\r\n"), 413, "64 KiB");
    strcpy(target, "/v1/queues?after=");
    memset(target + 17, 'x', 9000);
    target[9017] = '\0';
    fd = connect_local(d);
    send_text(fd, "GET ");
    send_text(fd, target);
    expect_problem(raw(fd, " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), 414, "8 KiB");
    free(target);
}

static void head_is_get_without_its_content(void **state)
{
    struct fake_daemon *d = *state;
    struct answer a = ask(connect_local(d), "HEAD", "/v1/status", "", NULL);

    assert_int_equal(a.status, 200);
    assert_int_equal(a.body_n, 0);
    assert_non_null(strstr(a.head, "Content-Type: application/json"));
    free(a.body);
}

/* ---------------------------------------------------------------- rows */
static void a_listing_goes_on_where_it_ended(void **state)
{
    char target[128] = "/v1/queues?limit=2";
    int seen = 0, pages = 0;
    bool more = true;

    while (more && pages < 10) {
        json_t *page = json_of(get(*state, target), 200);
        const json_t *next = json_object_get(page, "next");

        seen += (int)json_array_size(json_object_get(page, "items"));
        more = json_is_string(next);
        assert_true(more || json_is_null(next));
        if (more)
            snprintf(target, sizeof target, "/v1/queues?limit=2&after=%s", json_string_value(next));
        pages++;
        json_decref(page);
    }
    assert_int_equal(seen, FAKE_QUEUES);
    assert_int_equal(pages, 3);
}

static const json_t *at(const json_t *json, const char *key)
{
    const json_t *v = json_object_get(json, key);

    if (!v)
        fail_msg("there is no '%s'", key);
    return v;
}

static void a_queue_row_has_all_its_fields(void **state)
{
    static const char *const keys[] = {
        "queue",      "tenant",   "vmta",         "domain",      "state",     "messages",          "recipients",
        "bytes",      "oldest_s", "next_attempt", "connections", "in_flight", "delivered_per_min", "why",
        "last_reply", "limits",   "protocol",     "without_tls"
    };
    json_t *row = json_of(get(*state, "/v1/queues/acme/mta1/d0.test"), 200);

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        at(row, keys[i]);
    assert_int_equal(json_integer_value(at(row, "oldest_s")), 5);
    assert_string_equal(json_string_value(at(at(row, "last_reply"), "text")), "greylisted \xEF\xBF\xBD[31m\xEF\xBF\xBD");
    assert_int_equal(json_array_size(at(row, "protocol")), 3);
    assert_string_equal(json_string_value(at(json_array_get(at(row, "limits"), 0), "at")), "fairlead.yaml:12");
    assert_string_equal(json_string_value(at(json_array_get(at(row, "without_tls"), 0), "mx_ip")), "192.0.2.1");
    json_decref(row);
}

static void a_message_is_shown_with_its_unfolded_header(void **state)
{
    json_t *m = json_of(get(*state, "/v1/messages/" FAKE_MESSAGE), 200);
    const json_t *headers = at(m, "headers"), *recipient = json_array_get(at(m, "recipients"), 0);

    assert_string_equal(json_string_value(at(m, "message")), FAKE_MESSAGE);
    assert_int_equal(json_array_size(headers), 2);
    assert_string_equal(json_string_value(json_array_get(json_array_get(headers, 0), 1)), "a \"b\" c\xEF\xBF\xBD\xEF\xBF\xBD");
    assert_string_equal(json_string_value(at(recipient, "notify")), "SUCCESS,DELAY");
    assert_true(json_is_null(at(m, "envid")) && json_is_null(at(recipient, "orcpt")));
    json_decref(m);
}

static void a_message_comes_raw(void **state)
{
    struct answer a = get(*state, "/v1/messages/" FAKE_MESSAGE "/raw");

    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.head, "Content-Type: message/rfc822"));
    assert_string_equal(a.body, "Subject: a \"b\"\r\n\tc\x1b\xff\r\nX-Odd: 1\r\n\r\n.body\r\n");
    free(a.body);
}

static void other_rows_come_too(void **state)
{
    static const char *const targets[] = { "/v1/jobs",
                                           "/v1/tenants",
                                           "/v1/vmtas",
                                           "/v1/queues/acme/mta1/d0.test/messages",
                                           "/v1/jobs/acme/j%2F1",
                                           "/v1/tasks/" FAKE_TASK,
                                           "/v1/status",
                                           "/readyz" };

    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
        json_decref(json_of(get(*state, targets[i]), 200));
}

static void metrics_come_as_text(void **state)
{
    struct answer a = ask(connect_tcp(*state), "GET", "/metrics", "", NULL);

    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.head, "Content-Type: text/plain; version=0.0.4"));
    assert_non_null(strstr(a.body, "\nfairlead_build_info{"));
    free(a.body);
}

/* ---------------------------------------------------------------- orders */
static void an_action_is_taken_with_who_ordered_it(void **state)
{
    struct fake_daemon *d = *state;
    json_t *a =
        json_of(post(d, "/v1/actions", "{\"do\": \"hold\", \"select\": {\"tenant\": \"acme\"}, \"refuse\": true}"), 202);

    assert_string_equal(json_string_value(at(a, "task")), FAKE_TASK);
    assert_int_equal(json_integer_value(at(a, "matched")), 3);
    assert_int_equal(d->relay.last_kind, ACTION_HOLD);
    assert_true(d->relay.last_refuse && d->relay.last_who[0]);
    json_decref(a);
    json_decref(
        json_of(ask(connect_tcp(d), "POST", "/v1/actions", "Authorization: Bearer second\r\nContent-Type: application/json\r\n",
                    "{\"do\": \"retry\", \"select\": {\"all\": true}, \"dry_run\": true}"),
                202));
    assert_string_equal(d->relay.last_who, "other");
    expect_problem(post(d, "/v1/actions", "{\"do\": \"hold\", \"select\": {\"tenant\": \"nobody\"}}"), 404, "nobody");
    expect_problem(post(d, "/v1/actions", "{\"do\": \"move\", \"to\": \"foreign\", \"select\": {\"tenant\": \"acme\"}}"), 403,
                   "");
}

static void an_answer_may_come_later(void **state)
{
    struct fake_daemon *d = *state;
    int fd = connect_local(d);

    d->relay.slow = true;
    send_text(fd, "GET /v1/queues/acme/mta1/d0.test/messages HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    json_decref(json_of(get(d, "/healthz"), 200)); /* others are served meanwhile */
    usleep(20000);
    fake_daemon_turn(d);
    json_decref(json_of(read_answer(fd), 200));
}

static void who_waits_when_the_daemon_stops_is_told(void **state)
{
    struct fake_daemon d;
    int fd;

    fake_daemon_start(&d);
    d.relay.slow = true;
    fd = connect_local(&d);
    send_text(fd, "GET /v1/queues/acme/mta1/d0.test/messages HTTP/1.1\r\nHost: x\r\n\r\n");
    json_decref(json_of(get(&d, "/healthz"), 200));
    usleep(20000);
    fake_daemon_stop(&d);
    expect_problem(read_answer(fd), 503, "stops");
}

static void a_client_that_leaves_while_it_waits_does_no_harm(void **state)
{
    struct fake_daemon *d = *state;
    int fd = connect_local(d);

    d->relay.slow = true;
    send_text(fd, "GET /v1/queues/acme/mta1/d0.test/messages HTTP/1.1\r\nHost: x\r\n\r\n");
    json_decref(json_of(get(d, "/healthz"), 200));
    close(fd);
    usleep(20000);
    fake_daemon_turn(d);
    json_decref(json_of(get(d, "/healthz"), 200));
}

static void a_drain_shows_in_readyz(void **state)
{
    struct fake_daemon *d = *state;

    json_decref(json_of(post(d, "/v1/drain", ""), 200));
    expect_problem(get(d, "/readyz"), 503, "draining");
    json_decref(json_of(get(d, "/healthz"), 200));
    json_decref(json_of(post(d, "/v1/drain", "{\"off\": true}"), 200));
    json_decref(json_of(get(d, "/readyz"), 200));
    d->is_ready = false;
    expect_problem(get(d, "/readyz"), 503, "not ready");
}

static void a_bad_file_is_told_by_its_places(void **state)
{
    struct fake_daemon *d = *state;

    json_decref(json_of(post(d, "/v1/reload", "{}"), 200));
    d->reload_fails = true;
    expect_problem(post(d, "/v1/reload", "{}"), 422, "fairlead.yaml:1:1: error: unknown key 'sever'\n");
}

/* ---------------------------------------------------------------- the socket */
static void the_socket_is_for_owner_and_group(void **state)
{
    struct fake_daemon *d = *state;
    struct stat st;
    char folder[64];

    assert_int_equal(stat(d->socket, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0660);
    snprintf(folder, sizeof folder, "%s/run", d->folder);
    assert_int_equal(stat(folder, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0750);
}

static void only_a_stale_socket_is_replaced(void **state)
{
    char path[] = "/tmp/fairlead-sock-XXXXXX";
    int first, second;
    struct fl_err err;

    close(mkstemp(path));
    assert_int_equal(admin_listen_local(path, (uid_t)-1, (gid_t)-1, &first, &err), FL_EEXIST); /* a file of that name */
    unlink(path);
    assert_int_equal(admin_listen_local(path, (uid_t)-1, (gid_t)-1, &first, &err), 0);
    assert_int_equal(admin_listen_local(path, (uid_t)-1, (gid_t)-1, &second, &err), FL_EBUSY);
    close(first); /* as after a crash: the file is there, nobody listens */
    assert_int_equal(admin_listen_local(path, (uid_t)-1, (gid_t)-1, &second, &err), 0);
    close(second);
    unlink(path);
}

int main(void)
{
#define WITH_DAEMON(f) cmocka_unit_test_setup_teardown(f, start, stop)
    const struct CMUnitTest tests[] = {
        WITH_DAEMON(tcp_needs_a_token_and_the_socket_does_not),
        WITH_DAEMON(what_does_not_fit_is_refused_with_the_right_status),
        WITH_DAEMON(framing_that_could_smuggle_is_refused),
        WITH_DAEMON(a_body_may_be_chunked),
        WITH_DAEMON(large_bodies_and_targets_are_refused),
        WITH_DAEMON(head_is_get_without_its_content),
        WITH_DAEMON(a_listing_goes_on_where_it_ended),
        WITH_DAEMON(a_queue_row_has_all_its_fields),
        WITH_DAEMON(a_message_is_shown_with_its_unfolded_header),
        WITH_DAEMON(a_message_comes_raw),
        WITH_DAEMON(other_rows_come_too),
        WITH_DAEMON(metrics_come_as_text),
        WITH_DAEMON(an_action_is_taken_with_who_ordered_it),
        WITH_DAEMON(an_answer_may_come_later),
        cmocka_unit_test(who_waits_when_the_daemon_stops_is_told),
        WITH_DAEMON(a_client_that_leaves_while_it_waits_does_no_harm),
        WITH_DAEMON(a_drain_shows_in_readyz),
        WITH_DAEMON(a_bad_file_is_told_by_its_places),
        WITH_DAEMON(the_socket_is_for_owner_and_group),
        cmocka_unit_test(only_a_stale_socket_is_replaced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
