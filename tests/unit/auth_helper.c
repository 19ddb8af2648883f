/* Tests of daemon/auth_helper.c. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "auth_helper.h"

/* Runs in the child. "die" ends it. */
static bool knows_alice(const char *user, const char *password)
{
    if (strcmp(user, "die") == 0)
        _exit(0);
    return strcmp(user, "alice") == 0 && strcmp(password, "in wonderland") == 0;
}

static int set_up(void **state)
{
    return auth_helper_start(knows_alice, (struct auth_helper **)state, NULL);
}

static int tear_down(void **state)
{
    auth_helper_stop(*state);
    return wait(NULL) > 0 ? 0 : -1;
}

static void it_says_who_is_right(void **state)
{
    assert_true(auth_helper_ask(*state, "alice", "in wonderland"));
    assert_false(auth_helper_ask(*state, "alice", "in the looking glass"));
    assert_false(auth_helper_ask(*state, "bob", "in wonderland"));
    assert_false(auth_helper_ask(*state, "", ""));
    assert_true(auth_helper_ask(*state, "alice", "in wonderland"));
}

static void what_is_too_long_is_wrong_and_harms_nothing(void **state)
{
    char *password = malloc(20001);

    memset(password, 'x', 20000);
    password[20000] = '\0';
    assert_false(auth_helper_ask(*state, "alice", password));
    free(password);
    assert_true(auth_helper_ask(*state, "alice", "in wonderland"));
}

static void a_child_that_died_lets_nobody_in(void **state)
{
    assert_false(auth_helper_ask(*state, "die", ""));
    assert_false(auth_helper_ask(*state, "alice", "in wonderland"));
}

static void signals_of_the_terminal_do_not_end_it(void **state)
{
    signal(SIGTERM, SIG_IGN);
    kill(0, SIGTERM);
    signal(SIGTERM, SIG_DFL);
    assert_true(auth_helper_ask(*state, "alice", "in wonderland"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_says_who_is_right, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_too_long_is_wrong_and_harms_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_child_that_died_lets_nobody_in, set_up, tear_down),
        cmocka_unit_test_setup_teardown(signals_of_the_terminal_do_not_end_it, set_up, tear_down),
    };

    setpgid(0, 0); /* a group of our own, for signals that are meant for all of it */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
