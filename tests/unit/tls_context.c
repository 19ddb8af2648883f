/* Tests of daemon/tls_context.c: which certificate a client meets, and what changes when files do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "net_world.h"
#include "test_certificate.h"
#include "tls_context.h"

/* Doubles of conf.c: the configuration of these tests is on the stack. */
struct conf *conf_ref(struct conf *c) { return c; }
void conf_unref(struct conf *c) { }

struct world {
    struct net *net;
    struct test_certificate ca;
    char folder[64], ca_file[96];
    char files[4][96];
    struct conf_certificate certificates[2];
    struct conf conf;
    struct tls_context *context;
};

static struct tls_server *the_server; /* for on_accept */

static void accept_with_tls(struct side *side)
{
    stream_start_tls_server(side->s, the_server);
}

static void put_certificate(struct world *w, int i, const char *name)
{
    struct test_certificate c = test_certificate_new(name, &w->ca, 30);

    test_certificate_save(&c, w->files[2 * i], w->files[2 * i + 1]);
    test_certificate_free(&c);
    w->certificates[i] = (struct conf_certificate){ w->files[2 * i], w->files[2 * i + 1], { "f", 1, 1 } };
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct fl_err err;

    strcpy(w->folder, "/tmp/fairlead-tls-XXXXXX");
    assert_non_null(mkdtemp(w->folder));
    for (int i = 0; i < 4; i++)
        snprintf(w->files[i], sizeof w->files[i], "%s/%d.pem", w->folder, i);
    snprintf(w->ca_file, sizeof w->ca_file, "%s/ca.pem", w->folder);
    w->ca = test_certificate_new("DNS:ca.test", NULL, 30);
    test_certificate_save(&w->ca, w->ca_file, NULL);
    put_certificate(w, 0, "DNS:one.test");
    put_certificate(w, 1, "DNS:*.two.test");
    w->conf = (struct conf){ .certificates = w->certificates, .certificate_count = 2, .tls_min_version = TLS_1_2 };
    assert_int_equal(tls_context_new(&w->conf, &w->context, &err), 0);
    w->net = net_new();
    w->net->on_accept = accept_with_tls;
    the_server = tls_context_server(w->context);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    net_free(w->net);
    tls_context_free(w->context);
    test_certificate_free(&w->ca);
    for (int i = 0; i < 4; i++)
        unlink(w->files[i]);
    unlink(w->ca_file);
    rmdir(w->folder);
    free(w);
    return 0;
}

/* Whether a client that asks for this name meets a certificate for it. */
static bool serves(struct world *w, const char *name)
{
    const struct tls_client_params params = { .host = name, .min_version = TLS_1_2, .ca_file = w->ca_file,
                                              .cache_key = SLICE("t") };
    struct side c = { 0 };
    bool verified;

    streams_forget_tls(w->net->streams);
    side_connect(w->net, &c);
    assert_true(net_run(w->net, side_is_connected, &c));
    stream_start_tls_client(c.s, &params);
    assert_true(net_run(w->net, side_is_shaken, &c));
    assert_false(c.ended);
    verified = c.verified;
    stream_abort(c.s);
    side_free(&c);
    return verified;
}

static void the_certificate_fits_the_name_or_is_the_first(void **state)
{
    struct world *w = *state;

    assert_true(serves(w, "one.test"));
    assert_true(serves(w, "mx.two.test"));
    assert_false(serves(w, "three.test")); /* the first, which is not for it */
}

static void files_that_change_are_read_anew(void **state)
{
    struct world *w = *state;
    struct fl_err err;
    bool changed;

    assert_int_equal(tls_context_refresh(w->context, &changed, &err), 0);
    assert_false(changed);
    put_certificate(w, 0, "DNS:three.test");
    assert_int_equal(tls_context_refresh(w->context, &changed, &err), 0);
    assert_true(changed);
    assert_ptr_equal(tls_context_server(w->context), the_server);
    assert_true(serves(w, "three.test"));
}

static void a_key_that_does_not_fit_leaves_all_as_it_was(void **state)
{
    struct world *w = *state;
    struct fl_err err;
    bool changed;

    test_certificate_save(&w->ca, w->files[0], NULL); /* with the key of another */
    assert_int_equal(tls_context_refresh(w->context, &changed, &err), FL_EINVAL);
    assert_non_null(strstr(err.text, "does not belong"));
    assert_true(serves(w, "one.test"));
}

static void without_certificates_there_is_no_tls(void **state)
{
    struct world *w = *state;
    struct conf none = { .tls_min_version = TLS_1_2 };
    struct tls_context *c;
    struct fl_err err;

    assert_int_equal(tls_context_new(&none, &c, &err), 0);
    assert_null(tls_context_server(c));
    tls_context_free(c);
    assert_non_null(tls_context_server(w->context));
}

static void count_certificate(void *arg, const char *file, int64_t not_after_ms)
{
    assert_true(not_after_ms > 0);
    ++*(int *)arg;
}

static void each_certificate_says_when_it_ends(void **state)
{
    struct world *w = *state;
    int n = 0;

    tls_context_visit(w->context, count_certificate, &n);
    assert_int_equal(n, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_certificate_fits_the_name_or_is_the_first, setup, teardown),
        cmocka_unit_test_setup_teardown(files_that_change_are_read_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(a_key_that_does_not_fit_leaves_all_as_it_was, setup, teardown),
        cmocka_unit_test_setup_teardown(without_certificates_there_is_no_tls, setup, teardown),
        cmocka_unit_test_setup_teardown(each_certificate_says_when_it_ends, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
