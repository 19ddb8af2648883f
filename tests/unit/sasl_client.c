/* Logging in at another host: mechanisms, and SCRAM against a server of our own arithmetic's making (gsasl's server side). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <gsasl.h>
#include <string.h>

#include "err.h"
#include "sasl_client.h"

static void the_strongest_mechanism_is_chosen(void **state)
{
    unsigned all = AUTH_PLAIN | AUTH_LOGIN | AUTH_CRAM_MD5 | AUTH_SCRAM_SHA_256;

    assert_int_equal(sasl_client_choose(all), AUTH_SCRAM_SHA_256);
    assert_int_equal(sasl_client_choose(all & ~AUTH_SCRAM_SHA_256), AUTH_CRAM_MD5);
    assert_int_equal(sasl_client_choose(AUTH_LOGIN | AUTH_PLAIN), AUTH_PLAIN);
    assert_int_equal(sasl_client_choose(AUTH_LOGIN), AUTH_LOGIN);
    assert_int_equal(sasl_client_choose(0), 0);
}

static void names_are_known_in_any_case(void **state)
{
    assert_int_equal(sasl_client_mechanism_bit(SLICE("scram-sha-256")), AUTH_SCRAM_SHA_256);
    assert_int_equal(sasl_client_mechanism_bit(SLICE("PLAIN")), AUTH_PLAIN);
    assert_int_equal(sasl_client_mechanism_bit(SLICE("SCRAM-SHA-256-PLUS")), 0);
    assert_int_equal(sasl_client_mechanism_bit(SLICE("GSSAPI")), 0);
    assert_int_equal(sasl_client_mechanism_bit(SLICE("")), 0);
}

/* A server that knows a password. */
static const char *server_password;

static int server_callback(Gsasl *g, Gsasl_session *s, Gsasl_property p)
{
    return p == GSASL_PASSWORD ? gsasl_property_set(s, GSASL_PASSWORD, server_password) : GSASL_NO_CALLBACK;
}

/* Plays SCRAM to its end. The last server message may be spoiled. True when the client believes the server. */
static bool scram(const char *password_there, const char *password_here, bool spoil)
{
    struct sasl_client *c;
    Gsasl *g;
    Gsasl_session *s;
    struct buf words;
    bool believed = false;
    int rc = GSASL_NEEDS_MORE;

    server_password = password_there;
    assert_int_equal(gsasl_init(&g), GSASL_OK);
    gsasl_callback_set(g, server_callback);
    assert_int_equal(gsasl_server_start(g, "SCRAM-SHA-256", &s), GSASL_OK);
    assert_int_equal(sasl_client_new(AUTH_SCRAM_SHA_256, "user", password_here, &c), 0);
    buf_init(&words, 0);
    assert_true(sasl_client_step(c, SLICE_NONE, &words));
    for (int i = 0; i < 3 && rc == GSASL_NEEDS_MORE; i++) {
        char *answer = NULL;

        assert_int_equal(buf_add_char(&words, 0), 0);
        rc = gsasl_step64(s, buf_slice(&words).p, &answer);
        buf_clear(&words);
        if (rc != GSASL_OK && rc != GSASL_NEEDS_MORE)
            break;
        if (spoil && i == 1)
            answer[6] = answer[6] == 'A' ? 'B' : 'A';
        if (!answer[0] || !sasl_client_step(c, slice_of(answer), &words)) {
            gsasl_free(answer);
            break;
        }
        gsasl_free(answer);
    }
    believed = sasl_client_is_done(c);
    buf_free(&words);
    sasl_client_free(c);
    gsasl_finish(s);
    gsasl_done(g);
    return believed;
}

static void scram_believes_a_server_that_knows_the_password_and_no_other(void **state)
{
    assert_true(scram("secret", "secret", false));
    assert_false(scram("secret", "other", false));
    assert_false(scram("secret", "secret", true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_strongest_mechanism_is_chosen),
        cmocka_unit_test(names_are_known_in_any_case),
        cmocka_unit_test(scram_believes_a_server_that_knows_the_password_and_no_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
