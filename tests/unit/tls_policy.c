/* The four TLS policies at each point where they decide. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tls_policy.h"

enum { GO = TLS_GO_ON, START = TLS_START, FAIL = TLS_FAIL };

static void after_ehlo_each_policy_takes_its_way(void **state)
{
    static const struct {
        enum tls_mode mode;
        bool is_tls, offered, skip;
        int step;
    } rows[] = {
        { TLS_NONE, false, true, false, GO },
        { TLS_NONE, false, false, false, GO },
        { TLS_OPPORTUNISTIC, false, true, false, START },
        { TLS_OPPORTUNISTIC, false, false, false, GO },
        { TLS_OPPORTUNISTIC, false, true, true, GO },
        { TLS_OPPORTUNISTIC, true, true, false, GO },
        { TLS_REQUIRE, false, true, false, START },
        { TLS_REQUIRE, false, false, false, FAIL },
        { TLS_REQUIRE, false, true, true, START },
        { TLS_REQUIRE, true, false, false, GO },
        { TLS_VERIFY, false, true, false, START },
        { TLS_VERIFY, false, false, true, FAIL },
        { TLS_VERIFY, true, true, false, GO },
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct profile p = { .tls = rows[i].mode };
        struct tls_verdict v = tls_policy_after_ehlo(&p, rows[i].is_tls, rows[i].offered, rows[i].skip);

        assert_int_equal(v.step, rows[i].step);
        assert_true(v.step != TLS_FAIL || (v.stage == STAGE_STARTTLS && v.reason));
    }
}

static void a_refused_starttls_is_forgiven_by_opportunistic_alone(void **state)
{
    for (enum tls_mode m = TLS_OPPORTUNISTIC; m <= TLS_VERIFY; m++) {
        struct profile p = { .tls = m };

        assert_int_equal(tls_policy_after_starttls(&p, 220).step, TLS_START);
        assert_int_equal(tls_policy_after_starttls(&p, 454).step, m == TLS_OPPORTUNISTIC ? GO : FAIL);
        assert_int_equal(tls_policy_after_starttls(&p, 501).step, m == TLS_OPPORTUNISTIC ? GO : FAIL);
    }
}

static void only_verify_looks_at_the_certificate(void **state)
{
    for (enum tls_mode m = TLS_NONE; m <= TLS_VERIFY; m++) {
        struct profile p = { .tls = m };

        assert_int_equal(tls_policy_after_handshake(&p, true).step, TLS_GO_ON);
        assert_int_equal(tls_policy_after_handshake(&p, false).step, m == TLS_VERIFY ? FAIL : GO);
        assert_int_equal(tls_policy_needs_tls(&p), m >= TLS_REQUIRE);
    }
}

static void a_failed_handshake_falls_back_where_that_is_allowed(void **state)
{
    assert_true(tls_policy_may_fall_back(&(struct profile){ .tls = TLS_OPPORTUNISTIC, .tls_fallback = true }));
    assert_false(tls_policy_may_fall_back(&(struct profile){ .tls = TLS_OPPORTUNISTIC }));
    assert_false(tls_policy_may_fall_back(&(struct profile){ .tls = TLS_REQUIRE, .tls_fallback = true }));
    assert_false(tls_policy_may_fall_back(&(struct profile){ .tls = TLS_OPPORTUNISTIC, .tls_fallback = true,
                                                             .implicit_tls = true }));
}

static void a_login_in_clear_must_be_allowed(void **state)
{
    assert_true(tls_policy_allows_login(&(struct profile){ .allow_plaintext_login = false }, true));
    assert_false(tls_policy_allows_login(&(struct profile){ .allow_plaintext_login = false }, false));
    assert_true(tls_policy_allows_login(&(struct profile){ .allow_plaintext_login = true }, false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(after_ehlo_each_policy_takes_its_way),
        cmocka_unit_test(a_refused_starttls_is_forgiven_by_opportunistic_alone),
        cmocka_unit_test(only_verify_looks_at_the_certificate),
        cmocka_unit_test(a_failed_handshake_falls_back_where_that_is_allowed),
        cmocka_unit_test(a_login_in_clear_must_be_allowed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
