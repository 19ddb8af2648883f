/* daemon/auth.c, daemon/auth_secret.c: on a configuration from a file, with a pool that works when it is told to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "auth.h"
#include "auth_secret.h"
#include "base64.h"
#include "crypto.h"
#include "load.h"

/* ---------------------------------------------------------------- the pool */
struct crypto {
    void (*work)(void *arg);
    void (*done)(void *arg);
    void *arg;
    enum crypto_class class;
    bool full;
    int runs;
};

int crypto_run(struct crypto *c, enum crypto_class class, void (*work)(void *arg), void (*done)(void *arg), void *arg)
{
    if (c->full)
        return FL_ELIMIT;
    c->work = work;
    c->done = done;
    c->arg = arg;
    c->class = class;
    c->runs++;
    return 0;
}

static void crypto_turn(struct crypto *c)
{
    void (*done)(void *arg) = c->done;

    if (!done)
        return;
    c->done = NULL;
    c->work(c->arg);
    done(c->arg);
}

static bool system_knows(void *arg, const char *user, const char *password)
{
    return strcmp(user, "alice") == 0 && strcmp(password, "wonderland") == 0;
}

/* ---------------------------------------------------------------- the world */
struct world {
    struct crypto crypto;
    struct auth *auth;
    struct conf *conf;
    struct auth_job *job;
    int answers;
    enum auth_verdict verdict;
    char user[64];
    bool has_signature;
    uint8_t signature[SASL_SHA256];
};

static const char yaml[] =
    "server: {hostname: mx.test, data_dir: /tmp, user: '', postmaster: p@mx.test}\n"
    "listeners: [{address: '127.0.0.1:2525', role: submission, tls: none}]\n"
    "sources: [{network: any, require_auth: true, require_starttls_before_auth: false}]\n"
    "vmtas: {v: {source_addresses: [127.0.0.11], hostname: v.test}}\n"
    "tenants:\n"
    "  acme:\n"
    "    sender_domains: ['*']\n"
    "    vmtas: [v]\n"
    "    route: v\n"
    "    users:\n"
    "      foo: {method: password, password: {plain: barbaz}}\n"
    "      app: {method: password, password: {hash: '%s'}}\n"
    "      hub: {method: password, password: {scram: '%s'}}\n"
    "      alice: {method: system}\n"
    "admin: {socket: /tmp/fairlead-test.sock}\n";

static struct conf *load(void)
{
    char path[] = "/tmp/fairlead-auth-XXXXXX";
    int fd = mkstemp(path);
    FILE *f = fdopen(fd, "w");
    struct conf_findings findings;
    struct buf hash, verifier;
    struct conf *c = NULL;

    buf_init(&hash, 0);
    buf_init(&verifier, 0);
    assert_int_equal(secret_make_hash(SLICE("hashed"), &hash, NULL), 0);
    assert_int_equal(secret_make_verifier(SLICE("verified"), &verifier, NULL), 0);
    buf_add_char(&hash, '\0');
    buf_add_char(&verifier, '\0');
    fprintf(f, yaml, buf_slice(&hash).p, buf_slice(&verifier).p);
    fclose(f);
    conf_load(path, &c, &findings);
    for (int i = 0; !c && i < findings.count; i++)
        print_error("%d: %s\n", findings.items[i].at.line, findings.items[i].text);
    conf_findings_free(&findings);
    unlink(path);
    buf_free(&hash);
    buf_free(&verifier);
    return c;
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    w->conf = load();
    assert_non_null(w->conf);
    assert_int_equal(auth_new(&w->crypto, system_knows, NULL, &w->auth, NULL), 0);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    auth_free(w->auth);
    conf_unref(w->conf);
    free(w);
    return 0;
}

static void judged(void *arg, enum auth_verdict verdict, const struct conf_user *user, const uint8_t *signature)
{
    struct world *w = arg;

    w->answers++;
    w->verdict = verdict;
    snprintf(w->user, sizeof w->user, "%s", user ? user->name : "");
    w->has_signature = signature != NULL;
    if (signature)
        memcpy(w->signature, signature, sizeof w->signature);
}

static enum auth_verdict ask(struct world *w, const struct sasl_request *r, int64_t now_ms)
{
    int before = w->answers;

    auth_verify(w->auth, w->conf, r, now_ms, judged, w, &w->job);
    crypto_turn(&w->crypto);
    assert_int_equal(w->answers, before + 1);
    return w->verdict;
}

static enum auth_verdict plain(struct world *w, const char *user, const char *password, int64_t now_ms)
{
    struct sasl_request r = { .mechanism = SASL_PLAIN, .user = slice_of(user), .password = slice_of(password) };

    return ask(w, &r, now_ms);
}

/* ---------------------------------------------------------------- passwords */
static void each_kind_of_secret_lets_in_its_password_and_no_other(void **state)
{
    static const char *const right[][2] = {
        { "foo", "barbaz" },
        { "app", "hashed" },
        { "hub", "verified" },
        { "alice", "wonderland" },
    };
    struct world *w = *state;

    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(plain(w, right[i][0], right[i][1], 0), AUTH_RIGHT);
        assert_string_equal(w->user, right[i][0]);
        assert_int_equal(plain(w, right[i][0], "wrong", 0), AUTH_WRONG);
        assert_string_equal(w->user, "");
        assert_int_equal(plain(w, right[i][0], "", 0), AUTH_WRONG);
        assert_int_equal(plain(w, right[i][0], right[(i + 1) % 4][1], 0), AUTH_WRONG);
    }
    assert_int_equal(plain(w, "nobody", "barbaz", 0), AUTH_WRONG);
    assert_int_equal(plain(w, "FOO", "barbaz", 0), AUTH_WRONG);
}

static void a_wrong_log_in_goes_through_the_pool_whoever_it_is_for(void **state)
{
    static const char *const users[] = { "foo", "app", "hub", "nobody" };
    struct world *w = *state;

    for (size_t i = 0; i < 4; i++) {
        w->crypto.runs = 0;
        plain(w, users[i], "wrong", 0);
        assert_int_equal(w->crypto.runs, 1);
        assert_int_equal(w->crypto.class, CRYPTO_AUTH);
    }
}

static void pam_has_a_thread_of_its_own(void **state)
{
    struct world *w = *state;

    plain(w, "alice", "wrong", 0);
    assert_int_equal(w->crypto.class, CRYPTO_PAM);
}

static void a_full_pool_means_later(void **state)
{
    struct world *w = *state;

    w->crypto.full = true;
    assert_int_equal(plain(w, "app", "hashed", 0), AUTH_LATER);
    assert_null(w->job);
}

static void hashes_that_crypt_cannot_make_are_equal_to_nothing(void **state)
{
    assert_false(secret_matches("x", "*0"));
    assert_false(secret_matches("x", "*1"));
    assert_false(secret_matches("x", ""));
    assert_false(secret_matches("x", "!"));
    assert_false(secret_matches("x", "$y$"));
    assert_false(secret_matches("", ""));
}

/* ---------------------------------------------------------------- remembered log-ins */
static void a_verified_log_in_is_remembered_for_ten_minutes(void **state)
{
    struct world *w = *state;

    assert_int_equal(plain(w, "app", "hashed", 0), AUTH_RIGHT);
    w->crypto.runs = 0;
    assert_int_equal(plain(w, "app", "hashed", AUTH_REMEMBER_MS - 1), AUTH_RIGHT);
    assert_int_equal(w->crypto.runs, 0);
    assert_int_equal(plain(w, "app", "wrong", AUTH_REMEMBER_MS - 1), AUTH_WRONG);
    assert_int_equal(plain(w, "hub", "hashed", AUTH_REMEMBER_MS - 1), AUTH_WRONG);
    w->crypto.runs = 0;
    assert_int_equal(plain(w, "app", "hashed", AUTH_REMEMBER_MS), AUTH_RIGHT);
    assert_int_equal(w->crypto.runs, 1);
}

static void a_reload_forgets_log_ins_also_those_under_way(void **state)
{
    struct world *w = *state;
    struct sasl_request r = { .mechanism = SASL_PLAIN, .user = SLICE("app"), .password = SLICE("hashed") };

    assert_int_equal(plain(w, "app", "hashed", 0), AUTH_RIGHT);
    auth_forget_all(w->auth);
    auth_verify(w->auth, w->conf, &r, 0, judged, w, &w->job);
    auth_forget_all(w->auth);
    crypto_turn(&w->crypto);
    assert_int_equal(w->verdict, AUTH_RIGHT);
    w->crypto.runs = 0;
    assert_int_equal(plain(w, "app", "hashed", 0), AUTH_RIGHT);
    assert_int_equal(w->crypto.runs, 1);
}

static void a_cancelled_log_in_answers_nobody(void **state)
{
    struct world *w = *state;
    struct sasl_request r = { .mechanism = SASL_PLAIN, .user = SLICE("app"), .password = SLICE("hashed") };

    auth_verify(w->auth, w->conf, &r, 0, judged, w, &w->job);
    auth_cancel(w->job);
    crypto_turn(&w->crypto);
    assert_int_equal(w->answers, 0);
}

/* ---------------------------------------------------------------- CRAM-MD5, SCRAM */
static void cram_md5_needs_a_recoverable_secret(void **state)
{
    struct world *w = *state;
    struct sasl_request r = { .mechanism = SASL_CRAM_MD5, .user = SLICE("foo"), .challenge = SLICE("<1.2@mx.test>") };

    secret_hmac_md5(SLICE("barbaz"), r.challenge, r.digest);
    assert_int_equal(ask(w, &r, 0), AUTH_RIGHT);
    r.digest[0] ^= 1;
    assert_int_equal(ask(w, &r, 0), AUTH_WRONG);
    r.user = SLICE("app");
    secret_hmac_md5(SLICE("hashed"), r.challenge, r.digest);
    assert_int_equal(ask(w, &r, 0), AUTH_WRONG);
    r.user = SLICE("nobody");
    secret_hmac_md5(SLICE(""), r.challenge, r.digest);
    assert_int_equal(ask(w, &r, 0), AUTH_WRONG);
}

/* What a client makes of salt and iterations (RFC 5802 3); the signature that it expects of the server. */
static void scram_client(struct sasl_request *r, struct slice password, const uint8_t *salt, size_t salt_n, int iterations,
                         uint8_t ret_signature[SASL_SHA256])
{
    struct secret_keys keys;
    uint8_t salted[SASL_SHA256], signature[SASL_SHA256], client[SASL_SHA256];

    assert_true(secret_derive(password, salt, salt_n, iterations, &keys));
    PKCS5_PBKDF2_HMAC(password.p, (int)password.n, salt, (int)salt_n, iterations, EVP_sha256(), sizeof salted, salted);
    secret_hmac(salted, sizeof salted, SLICE("Client Key"), client);
    secret_hmac(keys.stored, sizeof keys.stored, r->auth_message, signature);
    for (size_t i = 0; i < sizeof signature; i++)
        r->proof[i] = client[i] ^ signature[i];
    secret_hmac(keys.server, sizeof keys.server, r->auth_message, ret_signature);
}

static void scram_works_with_a_recoverable_secret_and_with_a_verifier(void **state)
{
    static const char *const right[][2] = { { "foo", "barbaz" }, { "hub", "verified" } };
    struct world *w = *state;

    for (size_t i = 0; i < 2; i++) {
        struct sasl_request r = { .mechanism = SASL_SCRAM_SHA_256, .auth_message = SLICE("a,b,c") };
        uint8_t salt[SASL_SALT_MAX], expected[SASL_SHA256];
        size_t n;
        int iterations;

        r.user = slice_of(right[i][0]);
        auth_scram_salt(w->auth, w->conf, r.user, salt, &n, &iterations);
        assert_int_equal(iterations, SECRET_ITERATIONS);
        scram_client(&r, slice_of(right[i][1]), salt, n, iterations, expected);
        assert_int_equal(ask(w, &r, 0), AUTH_RIGHT);
        assert_true(w->has_signature);
        assert_memory_equal(w->signature, expected, sizeof expected);
        scram_client(&r, SLICE("wrong"), salt, n, iterations, expected);
        assert_int_equal(ask(w, &r, 0), AUTH_WRONG);
        assert_false(w->has_signature);
    }
}

static void an_unknown_user_has_a_salt_that_stays_the_same(void **state)
{
    struct world *w = *state;
    uint8_t a[SASL_SALT_MAX] = { 0 }, b[SASL_SALT_MAX] = { 0 }, c[SASL_SALT_MAX] = { 0 };
    size_t n, m;
    int i, j;

    auth_scram_salt(w->auth, w->conf, SLICE("nobody"), a, &n, &i);
    auth_scram_salt(w->auth, w->conf, SLICE("nobody"), b, &m, &j);
    assert_true(n == m && i == j && memcmp(a, b, n) == 0);
    auth_scram_salt(w->auth, w->conf, SLICE("somebody"), c, &m, &j);
    assert_true(n == m && i == j && memcmp(a, c, n) != 0);
    auth_scram_salt(w->auth, w->conf, SLICE("foo"), c, &m, &j);
    assert_true(n == m && i == j);
}

static void the_vector_of_rfc_7677_holds(void **state)
{
    static const char verifier_salt[] = "W22ZaJ0SNY7soEsUEjb6gQ==";
    struct sasl_request r = { .auth_message = SLICE("n=user,r=rOprNGfwEbeRWgbNEkqO,"
                                                    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
                                                    "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
                                                    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0") };
    struct buf salt, proof;
    struct secret_keys keys;

    buf_init(&salt, 0);
    buf_init(&proof, 0);
    base64_decode(slice_of(verifier_salt), &salt);
    base64_decode(SLICE("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="), &proof);
    assert_true(secret_derive(SLICE("pencil"), (const uint8_t *)buf_slice(&salt).p, buf_len(&salt), 4096, &keys));
    assert_true(secret_proof_is_right(&keys, r.auth_message, (const uint8_t *)buf_slice(&proof).p));
    buf_free(&salt);
    buf_free(&proof);
}

static void malformed_verifiers_are_refused(void **state)
{
    static const char *const bad[] = {
        "", "SCRAM-SHA-256$", "SCRAM-SHA-1$4096:AA==$AA==:AA==", "SCRAM-SHA-256$0:c2FsdA==$AA==:AA==",
        "SCRAM-SHA-256$99999999:c2FsdA==$AA==:AA==", "SCRAM-SHA-256$4096:c2FsdA==$AA==:AA==",
        "SCRAM-SHA-256$4096:$D1HdL9bnZp1lO5ru5+WL2F88qKBP1isDDGIxzfX/Xic=:UyjYTuI30ycno02ueCT2Qhi6aYB1fE/VIZFZbFuHoNw=",
    };
    struct secret_verifier v;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(secret_verifier(bad[i], &v));
    assert_true(secret_verifier("SCRAM-SHA-256$4096:w0aOdfU5zCAq2yzA6ak1Ag==$D1HdL9bnZp1lO5ru5+WL2F88qKBP1isDDGIxzfX/Xic=:"
                                "UyjYTuI30ycno02ueCT2Qhi6aYB1fE/VIZFZbFuHoNw=",
                                &v));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_kind_of_secret_lets_in_its_password_and_no_other),
        TEST(a_wrong_log_in_goes_through_the_pool_whoever_it_is_for),
        TEST(pam_has_a_thread_of_its_own),
        TEST(a_full_pool_means_later),
        cmocka_unit_test(hashes_that_crypt_cannot_make_are_equal_to_nothing),
        TEST(a_verified_log_in_is_remembered_for_ten_minutes),
        TEST(a_reload_forgets_log_ins_also_those_under_way),
        TEST(a_cancelled_log_in_answers_nobody),
        TEST(cram_md5_needs_a_recoverable_secret),
        TEST(scram_works_with_a_recoverable_secret_and_with_a_verifier),
        TEST(an_unknown_user_has_a_salt_that_stays_the_same),
        cmocka_unit_test(the_vector_of_rfc_7677_holds),
        cmocka_unit_test(malformed_verifiers_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
