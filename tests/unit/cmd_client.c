/* Tests the sub-commands in daemon/cmd that ask the daemon: usage, streams, exit statuses and what they send, against a daemon
 * that is real but for its relay. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmd.h"
#include "fake_daemon.h"

static const struct cmd *const commands[] = {
    &cmd_queue,         &cmd_queue_list,   &cmd_queue_show,  &cmd_queue_messages, &cmd_queue_hold,
    &cmd_queue_release, &cmd_queue_retry,  &cmd_queue_move,  &cmd_queue_drop,     &cmd_job,
    &cmd_job_list,      &cmd_job_show,     &cmd_job_hold,    &cmd_job_release,    &cmd_job_drop,
    &cmd_message,       &cmd_message_show, &cmd_vmta,        &cmd_vmta_list,      &cmd_vmta_hold,
    &cmd_vmta_release,  &cmd_tenant,       &cmd_tenant_list, &cmd_tenant_hold,    &cmd_tenant_release,
    &cmd_explain,       &cmd_status,       &cmd_reload,      &cmd_drain,          NULL,
};

/* The table of main.c and its way to complain stand outside of the library under test. */
int cmd_usage(const struct cmd *cmd, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    vfprintf(stderr, format, ap);
    va_end(ap);
    return CMD_USAGE;
}

/* ---------------------------------------------------------------- running a command */
enum { WORDS_MAX = 24, OUTPUT_MAX = 65536 };

static char out[OUTPUT_MAX], err[OUTPUT_MAX];

static int redirect(int fd, FILE *to)
{
    int saved = dup(fd);

    dup2(fileno(to), fd);
    return saved;
}

static void take_back(int fd, int saved, FILE *from, char ret[OUTPUT_MAX])
{
    size_t n;

    dup2(saved, fd);
    close(saved);
    rewind(from);
    n = fread(ret, 1, OUTPUT_MAX - 1, from);
    ret[n] = '\0';
    fclose(from);
}

/* Runs "queue list --json" with this on its standard input; its streams are in out and err. */
static int run_with(const char *line, const char *input)
{
    static const struct cmd_globals globals = { .config = "/nonexistent/fairlead.yaml" };
    FILE *in = tmpfile(), *o = tmpfile(), *e = tmpfile();
    char copy[512], *argv[WORDS_MAX], *save = NULL;
    const struct cmd *found = NULL;
    int argc = 0, first = 0, status, saved_in, saved_out, saved_err;

    snprintf(copy, sizeof copy, "%s", line);
    for (char *w = strtok_r(copy, " ", &save); w && argc < WORDS_MAX; w = strtok_r(NULL, " ", &save))
        argv[argc++] = w;
    for (const struct cmd *const *c = commands; *c; c++) {
        size_t n = strlen((*c)->name);

        if (strncmp(line, (*c)->name, n) == 0 && (line[n] == ' ' || !line[n]) && (!found || n > strlen(found->name)))
            found = *c;
    }
    assert_non_null(found);
    first = strchr(found->name, ' ') ? 1 : 0;
    fputs(input, in);
    rewind(in);
    fflush(NULL);
    saved_in = redirect(0, in);
    saved_out = redirect(1, o);
    saved_err = redirect(2, e);
    clearerr(stdin);
    lseek(0, 0, SEEK_SET);
    status = found->run(&globals, argc - first, argv + first);
    fflush(NULL);
    dup2(saved_in, 0);
    close(saved_in);
    fclose(in);
    take_back(1, saved_out, o, out);
    take_back(2, saved_err, e, err);
    return status;
}

static int run(const char *line)
{
    return run_with(line, "");
}

/* A command that must fail with this status, say why on stderr alone, and name this. */
static void expect_failure(int status, const char *line, const char *says)
{
    int got = run(line);

    if (got != status || out[0] || !strstr(err, says))
        fail_msg("%s: status %d, stdout '%s', stderr '%s'; wanted %d and '%s'", line, got, out, err, status, says);
}

static json_t *json_out(const char *line)
{
    int status = run(line);
    json_t *json = json_loads(out, JSON_REJECT_DUPLICATES, NULL);

    if (status != CMD_DONE || !json || err[0] || strchr(out, '\033'))
        fail_msg("%s: status %d, '%s', '%s'", line, status, out, err);
    return json;
}

static int start(void **state)
{
    *state = malloc(sizeof(struct fake_daemon));
    fake_daemon_start(*state);
    setenv("FAIRLEAD_SOCKET", ((struct fake_daemon *)*state)->socket, 1);
    return 0;
}

static int stop(void **state)
{
    fake_daemon_stop(*state);
    free(*state);
    return 0;
}

/* ---------------------------------------------------------------- usage */
static void every_help_ends_with_an_example_of_its_command(void **state)
{
    for (const struct cmd *const *c = commands; *c; c++) {
        const char *example = strstr((*c)->help, "Example");
        char wanted[64];

        snprintf(wanted, sizeof wanted, "fairlead %s", (*c)->name);
        assert_non_null(example);
        assert_non_null(strstr(example, wanted));
        assert_non_null(strstr((*c)->help, "usage: fairlead"));
    }
}

static void wrong_usage_is_told_before_the_daemon_is_asked(void **state)
{
    setenv("FAIRLEAD_SOCKET", "/nonexistent/control.sock", 1);
    expect_failure(2, "queue", "missing");
    expect_failure(2, "queue frob", "frob");
    expect_failure(2, "queue list spare", "spare");
    expect_failure(2, "queue list --frobnicate", "--frobnicate");
    expect_failure(2, "queue list -x", "-x");
    expect_failure(2, "queue list --state odd", "odd");
    expect_failure(2, "queue list --limit 0", "--limit");
    expect_failure(2, "queue list --limit many", "--limit");
    expect_failure(2, "queue list --json --jsonl", "exclude");
    expect_failure(2, "queue list --tenant", "needs a value");
    expect_failure(2, "queue list --tenant a --tenant b", "twice");
    expect_failure(2, "queue list --json=yes", "no value");
    expect_failure(2, "queue show", "missing");
    expect_failure(2, "queue show acme/mta1", "parts");
    expect_failure(2, "queue show acme//x", "parts");
    expect_failure(2, "queue drop --yes", "selector");
    expect_failure(2, "queue hold --all --tenant acme", "alone");
    expect_failure(2, "queue hold --older 2", "--older");
    expect_failure(2, "queue hold --job j1", "TENANT/JOB");
    expect_failure(2, "queue move --tenant acme", "--to");
    expect_failure(2, "queue hold --dsn --tenant acme", "--dsn");
    expect_failure(2, "queue retry acme/mta1", "tenant/vmta/domain");
    expect_failure(2, "queue retry acme//d0.test", "tenant/vmta/domain");
    expect_failure(2, "queue retry acme/mta1/d0.test --vmta mta1", "beside");
    expect_failure(2, "queue retry acme/mta1/d0.test spare", "spare");
    expect_failure(1, "queue hold --message x", "message id");
    expect_failure(1, "message show x", "message id");
    expect_failure(2, "message show", "missing");
    expect_failure(2, "message show 01ARZ3NDEKTSV4RRFFQ69G5FAV --raw --json", "exclude");
    expect_failure(2, "tenant hold", "missing");
    expect_failure(2, "status spare", "spare");
    expect_failure(2, "explain --tenant a --from b@c.test", "needed");
    expect_failure(2, "job show j1", "parts");
}

static void a_daemon_that_cannot_be_reached_is_status_three(void **state)
{
    setenv("FAIRLEAD_SOCKET", "/nonexistent/control.sock", 1);
    expect_failure(3, "status", "/nonexistent/control.sock");
    expect_failure(3, "queue list --json", "reached");
    expect_failure(3, "queue drop --all", "reached");
    expect_failure(3, "drain", "reached");
    expect_failure(3, "status --socket /nonexistent/other.sock", "other.sock");
}

/* ---------------------------------------------------------------- listings */
static void a_listing_is_an_array_lines_or_a_table(void **state)
{
    json_t *rows = json_out("queue list --json");
    int lines = 0;

    assert_int_equal(json_array_size(rows), FAKE_QUEUES);
    json_decref(rows);
    rows = json_out("queue list --json --limit 2");
    assert_int_equal(json_array_size(rows), 2);
    json_decref(rows);
    rows = json_out("queue list --json --tenant nobody");
    assert_int_equal(json_array_size(rows), 0);
    json_decref(rows);
    rows = json_out("queue list --json --domain d1.test --state held --tenant acme");
    assert_int_equal(json_array_size(rows), 1);
    json_decref(rows);
    assert_int_equal(run("queue list --jsonl"), CMD_DONE);
    for (const char *at = out; (at = strchr(at, '\n')); at++)
        lines++;
    assert_int_equal(lines, FAKE_QUEUES);
    assert_int_equal(run("queue list"), CMD_DONE);
    assert_non_null(strstr(out, "QUEUE"));
    assert_non_null(strstr(out, "acme/mta1/d4.test"));
    assert_null(strchr(out, '\033'));
}

static void other_listings_work_too(void **state)
{
    static const char *const lines[] = { "job list", "vmta list", "tenant list", "queue messages acme/mta1/d0.test" };
    char json[64];

    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        assert_int_equal(run(lines[i]), CMD_DONE);
        assert_true(out[0] && !err[0] && !strchr(out, '\033'));
        snprintf(json, sizeof json, "%s --json", lines[i]);
        json_decref(json_out(json));
    }
}

static void one_thing_is_shown_with_what_matters(void **state)
{
    assert_int_equal(run("queue show acme/mta1/d0.test"), CMD_DONE);
    assert_non_null(strstr(out, "the receiver answered 451"));
    assert_non_null(strstr(out, "C: RCPT TO:<u@d0.test>"));
    assert_non_null(strstr(out, "connections of the path"));
    assert_int_equal(run("message show " FAKE_MESSAGE), CMD_DONE);
    assert_non_null(strstr(out, "X-Odd: 1"));
    assert_int_equal(run("message show --raw " FAKE_MESSAGE), CMD_DONE);
    assert_string_equal(out, "Subject: a \"b\"\r\n\tc\x1b\xff\r\nX-Odd: 1\r\n\r\n.body\r\n");
    assert_int_equal(run("job show acme/j/1"), CMD_DONE);
    assert_int_equal(run("status"), CMD_DONE);
    assert_non_null(strstr(out, "generation"));
    json_decref(json_out("status --json"));
}

static void what_is_not_there_is_status_one(void **state)
{
    expect_failure(1, "queue show acme/mta1/nosuch.test", "nosuch");
    expect_failure(1, "queue messages acme/mta1/nosuch.test", "nosuch");
    expect_failure(1, "message show 01ARZ3NDEKTSV4RRFFQ69G5FAW", "01ARZ3NDEKTSV4RRFFQ69G5FAW");
    expect_failure(1, "job show acme/none", "none");
    expect_failure(1, "tenant hold nobody", "nobody");
}

/* ---------------------------------------------------------------- orders */
static void a_drop_asks_first(void **state)
{
    struct fake_daemon *d = *state;

    assert_int_equal(run("queue drop --tenant acme"), CMD_WRONG);
    assert_int_equal(run_with("queue drop --tenant acme", "n\n"), CMD_WRONG);
    assert_int_equal(run_with("queue drop --tenant acme", "no way\n"), CMD_WRONG);
    assert_non_null(strstr(err, "3 recipients"));
    assert_string_equal(out, "");
    assert_int_equal(d->relay.acts, 0);
    assert_int_equal(run_with("queue drop --tenant acme --dry-run", ""), CMD_DONE);
    assert_string_equal(out, "3\n");
    assert_int_equal(d->relay.acts, 0);
    assert_int_equal(run_with("queue drop --tenant acme", "y\n"), CMD_DONE);
    assert_int_equal(d->relay.acts, 1);
    assert_int_equal(run("job drop acme/j1 --yes --dsn"), CMD_DONE);
    assert_true(d->relay.acts == 2 && d->relay.last_dsn);
    assert_string_equal(d->relay.last_job, "j1");
}

static void an_order_says_what_was_typed(void **state)
{
    struct fake_daemon *d = *state;

    assert_int_equal(run("queue move --to v2 --tenant acme --domain *.Example.com"), CMD_DONE);
    assert_int_equal(d->relay.last_kind, ACTION_MOVE);
    assert_string_equal(d->relay.last_to, "v2");
    assert_string_equal(d->relay.last_domain, "*.example.com");
    assert_int_equal(run("tenant hold acme --refuse"), CMD_DONE);
    assert_true(d->relay.last_refuse);
    assert_int_equal(run("queue retry --all --wait"), CMD_DONE);
    assert_true(d->relay.last_all);
    assert_int_equal(run("queue retry acme/mta1/d0.test"), CMD_DONE);
    assert_int_equal(d->relay.last_kind, ACTION_RETRY);
    assert_string_equal(d->relay.last_domain, "d0.test");
    json_decref(json_out("queue release --tenant acme --json"));
    assert_int_equal(d->relay.last_kind, ACTION_RELEASE);
    expect_failure(1, "queue move --to foreign --tenant acme", "fairlead queue move");
}

static void a_bad_configuration_is_told_line_by_line(void **state)
{
    struct fake_daemon *d = *state;

    assert_int_equal(run("reload"), CMD_DONE);
    assert_string_equal(out, "");
    d->reload_fails = true;
    expect_failure(1, "reload", "fairlead.yaml:1:1: error: unknown key 'sever'\n");
    assert_null(strchr(err, '\033'));
}

static void a_drain_can_be_ended(void **state)
{
    struct fake_daemon *d = *state;

    assert_int_equal(run("drain"), CMD_DONE);
    assert_true(d->relay.draining);
    assert_int_equal(run("drain --off"), CMD_DONE);
    assert_false(d->relay.draining);
}

int main(void)
{
#define WITH_DAEMON(f) cmocka_unit_test_setup_teardown(f, start, stop)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_help_ends_with_an_example_of_its_command),
        cmocka_unit_test(wrong_usage_is_told_before_the_daemon_is_asked),
        cmocka_unit_test(a_daemon_that_cannot_be_reached_is_status_three),
        WITH_DAEMON(a_listing_is_an_array_lines_or_a_table),
        WITH_DAEMON(other_listings_work_too),
        WITH_DAEMON(one_thing_is_shown_with_what_matters),
        WITH_DAEMON(what_is_not_there_is_status_one),
        WITH_DAEMON(a_drop_asks_first),
        WITH_DAEMON(an_order_says_what_was_typed),
        WITH_DAEMON(a_bad_configuration_is_told_line_by_line),
        WITH_DAEMON(a_drain_can_be_ended),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
