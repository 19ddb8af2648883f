/* auth.c: see auth.h. */
#include "auth.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <uthash.h>

#include "auth_pam.h"
#include "base64.h"
#include "crypto.h"

enum { KEY = 32, ITERATIONS_MAX = 1000000 };

/* A setting of crypt(3) for a log-in that has nothing to compare with: it costs what `fairlead passwd` makes. */
static const char burn_setting[] = "$y$j9T$fLNeverAnybodysSalt0$";

struct remembered {
    uint8_t key[KEY]; /* of user, secret and password, under the key of the process */
    int64_t until_ms;
    UT_hash_handle hh;
    TAILQ_ENTRY(remembered) by_age;
};

struct auth {
    struct crypto *crypto;
    auth_system *system;
    uint8_t key[KEY];
    struct remembered *known;
    TAILQ_HEAD(, remembered) oldest;
    int count;
    uint64_t generation; /* rises when all is forgotten: what was verified before is not remembered after */
};

struct auth_job {
    struct auth *auth;
    struct conf *conf;            /* one reference: user lies in it */
    const struct conf_user *user; /* NULL: there is none */
    struct sasl_request r;        /* points into text */
    char *text;                   /* user NUL password NUL challenge NUL auth_message NUL */
    size_t text_n;
    uint64_t generation;
    bool burnt;                   /* a slow sum was done */
    bool right;
    uint8_t salt[SASL_SALT_MAX];  /* SCRAM with a recoverable secret */
    size_t salt_n;
    uint8_t signature[SASL_SHA256];
    int64_t now_ms;
    auth_done *done;              /* NULL: nobody waits any more */
    void *arg;
};

/* ---------------------------------------------------------------- sums */
static void hmac_sha256(const void *key, size_t key_n, struct slice text, uint8_t ret[SASL_SHA256])
{
    HMAC(EVP_sha256(), key, (int)key_n, (const unsigned char *)(text.p ? text.p : ""), text.n, ret, NULL);
}

static bool same(const void *a, size_t a_n, const void *b, size_t b_n)
{
    return a_n == b_n && CRYPTO_memcmp(a, b, a_n) == 0;
}

int auth_random(uint8_t *ret, size_t n)
{
    return RAND_bytes(ret, (int)n) == 1 ? 0 : FL_EIO;
}

/* RFC 5802 3. */
static bool salted_password(struct slice password, const uint8_t *salt, size_t salt_n, int iterations, uint8_t ret[SASL_SHA256])
{
    return PKCS5_PBKDF2_HMAC(password.p ? password.p : "", (int)password.n, salt, (int)salt_n, iterations, EVP_sha256(), SASL_SHA256,
                             ret) == 1;
}

struct scram_keys {
    uint8_t stored[SASL_SHA256], server[SASL_SHA256];
};

static bool scram_derive(struct slice password, const uint8_t *salt, size_t salt_n, int iterations, struct scram_keys *ret)
{
    uint8_t salted[SASL_SHA256], client[SASL_SHA256];
    bool ok = salted_password(password, salt, salt_n, iterations, salted);

    hmac_sha256(salted, sizeof salted, SLICE("Client Key"), client);
    SHA256(client, sizeof client, ret->stored);
    hmac_sha256(salted, sizeof salted, SLICE("Server Key"), ret->server);
    explicit_bzero(salted, sizeof salted);
    explicit_bzero(client, sizeof client);
    return ok;
}

/* ---------------------------------------------------------------- verifiers */
struct verifier {
    int iterations;
    uint8_t salt[SASL_SALT_MAX];
    size_t salt_n;
    struct scram_keys keys;
};

static bool decode_into(struct slice text, uint8_t *ret, size_t max, size_t *ret_n)
{
    struct buf b;
    bool ok;

    buf_init(&b, 0);
    ok = base64_decode(text, &b) == 0 && buf_len(&b) > 0 && buf_len(&b) <= max;
    if (ok) {
        *ret_n = buf_len(&b);
        memcpy(ret, buf_slice(&b).p, *ret_n);
    }
    buf_wipe(&b);
    return ok;
}

/* "SCRAM-SHA-256$4096:SALT$STOREDKEY:SERVERKEY" */
static bool verifier_parse(const char *text, struct verifier *ret)
{
    struct slice rest = slice_of(text), name = slice_cut(&rest, '$'), iterations = slice_cut(&rest, ':'), salt = slice_cut(&rest, '$'),
                 stored = slice_cut(&rest, ':');
    uint64_t n;
    size_t stored_n, server_n;

    if (!slice_eq(name, SLICE("SCRAM-SHA-256")) || !slice_to_u64(iterations, ITERATIONS_MAX, &n) || n == 0)
        return false;
    ret->iterations = (int)n;
    return decode_into(salt, ret->salt, sizeof ret->salt, &ret->salt_n) &&
           decode_into(stored, ret->keys.stored, sizeof ret->keys.stored, &stored_n) && stored_n == SASL_SHA256 &&
           decode_into(rest, ret->keys.server, sizeof ret->keys.server, &server_n) && server_n == SASL_SHA256;
}

/* The salt of a user that has no verifier: the same each time, and the same for users that do not exist. */
static void made_salt(const struct auth *a, struct slice user, uint8_t ret[SASL_SHA256])
{
    uint8_t key[SASL_SHA256];

    hmac_sha256(a->key, sizeof a->key, SLICE("SCRAM salt"), key);
    hmac_sha256(key, sizeof key, user, ret);
    explicit_bzero(key, sizeof key);
}

void auth_scram_salt(const struct auth *a, const struct conf *conf, struct slice user, uint8_t ret_salt[SASL_SALT_MAX], size_t *ret_n,
                     int *ret_iterations)
{
    const struct conf_user *u = conf_user(conf, user);
    uint8_t made[SASL_SHA256];
    struct verifier v;

    made_salt(a, user, made);
    if (u && u->method == USER_PASSWORD && u->kind == SECRET_SCRAM && verifier_parse(u->secret, &v)) {
        memcpy(ret_salt, v.salt, v.salt_n);
        *ret_n = v.salt_n;
        *ret_iterations = v.iterations;
        explicit_bzero(&v, sizeof v);
        return;
    }
    memcpy(ret_salt, made, AUTH_SALT);
    *ret_n = AUTH_SALT;
    *ret_iterations = AUTH_SCRAM_ITERATIONS;
}

/* ---------------------------------------------------------------- crypt(3) */
/* NULL and a text that begins with '*' are failures of crypt(3), equal to nothing (LESSONS: password checks). */
static bool crypt_matches(const char *password, const char *hash)
{
    void *data = NULL;
    int size = 0;
    const char *made = crypt_ra(password, hash, &data, &size);
    bool ok = made && made[0] != '*' && hash[0] && hash[0] != '*' && same(made, strlen(made), hash, strlen(hash));

    if (data) {
        explicit_bzero(data, (size_t)size);
        free(data);
    }
    return ok;
}

/* ---------------------------------------------------------------- verifying: in the pool */
static bool check_password(struct auth_job *j)
{
    const struct conf_user *u = j->user;
    struct scram_keys keys;
    struct verifier v;
    bool ok;

    if (u->method == USER_SYSTEM) {
        j->burnt = true;
        return j->auth->system(j->r.user.p, j->r.password.p);
    }
    switch (u->kind) {
    case SECRET_PLAIN:
        return same(j->r.password.p, j->r.password.n, u->secret, strlen(u->secret));
    case SECRET_HASH:
        j->burnt = true;
        return crypt_matches(j->r.password.p, u->secret);
    case SECRET_SCRAM:
        ok = verifier_parse(u->secret, &v) && scram_derive(j->r.password, v.salt, v.salt_n, v.iterations, &keys) &&
             same(keys.stored, sizeof keys.stored, v.keys.stored, sizeof v.keys.stored);
        explicit_bzero(&v, sizeof v);
        explicit_bzero(&keys, sizeof keys);
        return ok;
    }
    return false;
}

static bool check_cram(struct auth_job *j)
{
    uint8_t digest[SASL_MD5];

    if (j->user->method != USER_PASSWORD || j->user->kind != SECRET_PLAIN)
        return false;
    HMAC(EVP_md5(), j->user->secret, (int)strlen(j->user->secret), (const unsigned char *)j->r.challenge.p, j->r.challenge.n, digest,
         NULL);
    return same(digest, sizeof digest, j->r.digest, sizeof j->r.digest);
}

static bool user_keys(struct auth_job *j, struct scram_keys *ret)
{
    const struct conf_user *u = j->user;
    struct verifier v;

    if (u->method != USER_PASSWORD || u->kind == SECRET_HASH)
        return false;
    if (u->kind == SECRET_PLAIN)
        return scram_derive(slice_of(u->secret), j->salt, j->salt_n, AUTH_SCRAM_ITERATIONS, ret);
    if (!verifier_parse(u->secret, &v))
        return false;
    *ret = v.keys;
    explicit_bzero(&v, sizeof v);
    return true;
}

/* RFC 5802 3: the proof is ClientKey XOR ClientSignature, and H(ClientKey) must be StoredKey. */
static bool check_scram(struct auth_job *j)
{
    struct scram_keys keys;
    uint8_t client[SASL_SHA256], stored[SASL_SHA256];
    bool ok;

    if (!user_keys(j, &keys))
        return false;
    hmac_sha256(keys.stored, sizeof keys.stored, j->r.auth_message, client);
    for (size_t i = 0; i < sizeof client; i++)
        client[i] ^= j->r.proof[i];
    SHA256(client, sizeof client, stored);
    ok = same(stored, sizeof stored, keys.stored, sizeof keys.stored);
    if (ok)
        hmac_sha256(keys.server, sizeof keys.server, j->r.auth_message, j->signature);
    explicit_bzero(&keys, sizeof keys);
    explicit_bzero(client, sizeof client);
    return ok;
}

static bool check(struct auth_job *j)
{
    if (!j->user)
        return false;
    switch (j->r.mechanism) {
    case SASL_PLAIN:
    case SASL_LOGIN:
        return j->user->method != USER_CERTIFICATE && check_password(j);
    case SASL_CRAM_MD5:
        return check_cram(j);
    case SASL_SCRAM_SHA_256:
        return check_scram(j);
    default:
        return false;
    }
}

static void work(void *arg)
{
    struct auth_job *j = arg;

    j->right = check(j);
    if (!j->right && !j->burnt) /* wrong log-ins take the same time, whoever they are for */
        crypt_matches(j->r.password.n ? j->r.password.p : "nobody", burn_setting);
}

/* ---------------------------------------------------------------- remembered log-ins */
static bool can_be_remembered(const struct auth_job *j)
{
    return j->user && j->user->method != USER_CERTIFICATE && (j->r.mechanism == SASL_PLAIN || j->r.mechanism == SASL_LOGIN);
}

static void remember_key(const struct auth_job *j, uint8_t ret[KEY])
{
    const char *secret = j->user->secret ? j->user->secret : "";
    struct buf b;

    buf_init(&b, 0);
    memset(ret, 0, KEY);
    if (buf_printf(&b, "%s%c%s%c", j->user->name, 0, secret, 0) == 0 && buf_add(&b, j->r.password) == 0)
        hmac_sha256(j->auth->key, sizeof j->auth->key, buf_slice(&b), ret);
    else
        auth_random(ret, KEY); /* equal to nothing */
    buf_wipe(&b);
}

static void forget(struct auth *a, struct remembered *m)
{
    TAILQ_REMOVE(&a->oldest, m, by_age);
    HASH_DEL(a->known, m);
    a->count--;
    free(m);
}

static bool is_remembered(const struct auth_job *j)
{
    struct auth *a = j->auth;
    struct remembered *m;
    uint8_t key[KEY];

    while (!TAILQ_EMPTY(&a->oldest) && TAILQ_FIRST(&a->oldest)->until_ms <= j->now_ms)
        forget(a, TAILQ_FIRST(&a->oldest));
    if (!can_be_remembered(j) || !a->count)
        return false;
    remember_key(j, key);
    HASH_FIND(hh, a->known, key, sizeof key, m);
    return m != NULL;
}

static void remember(const struct auth_job *j)
{
    struct auth *a = j->auth;
    struct remembered *m;

    if (!can_be_remembered(j) || j->generation != a->generation || is_remembered(j))
        return;
    m = calloc(1, sizeof *m);
    if (!m)
        return;
    if (a->count >= AUTH_REMEMBERED_MAX)
        forget(a, TAILQ_FIRST(&a->oldest));
    remember_key(j, m->key);
    m->until_ms = j->now_ms + AUTH_REMEMBER_MS;
    HASH_ADD(hh, a->known, key, sizeof m->key, m);
    TAILQ_INSERT_TAIL(&a->oldest, m, by_age);
    a->count++;
}

void auth_forget_all(struct auth *a)
{
    a->generation++;
    while (!TAILQ_EMPTY(&a->oldest))
        forget(a, TAILQ_FIRST(&a->oldest));
}

/* ---------------------------------------------------------------- jobs */
static void job_free(struct auth_job *j)
{
    if (!j)
        return;
    if (j->text) {
        explicit_bzero(j->text, j->text_n);
        free(j->text);
    }
    conf_unref(j->conf);
    explicit_bzero(j, sizeof *j);
    free(j);
}

/* Moves a slice of the request into the job's own memory, with a NUL behind it. */
static void keep(struct auth_job *j, struct slice *s)
{
    char *to = j->text + j->text_n;

    memcpy(to, s->p ? s->p : "", s->n);
    to[s->n] = '\0';
    j->text_n += s->n + 1;
    *s = slice_make(to, s->n);
}

static struct auth_job *job_new(struct auth *a, struct conf *conf, const struct sasl_request *r)
{
    struct auth_job *j = calloc(1, sizeof *j);

    if (!j)
        return NULL;
    j->auth = a;
    j->conf = conf_ref(conf);
    j->generation = a->generation;
    j->r = *r;
    j->text = malloc(r->user.n + r->password.n + r->challenge.n + r->auth_message.n + 4);
    if (!j->text) {
        job_free(j);
        return NULL;
    }
    keep(j, &j->r.user);
    keep(j, &j->r.password);
    keep(j, &j->r.challenge);
    keep(j, &j->r.auth_message);
    j->user = conf_user(conf, j->r.user);
    return j;
}

static void finish(void *arg)
{
    struct auth_job *j = arg;

    if (j->right)
        remember(j);
    if (j->done)
        j->done(j->arg, j->right ? AUTH_RIGHT : AUTH_WRONG, j->right ? j->user : NULL,
                j->right && j->r.mechanism == SASL_SCRAM_SHA_256 ? j->signature : NULL);
    job_free(j);
}

/* What can be told right away: a log-in that was verified a short while ago, or a recoverable secret that is right. */
static bool is_right_at_once(struct auth_job *j)
{
    if (is_remembered(j))
        return true;
    return can_be_remembered(j) && j->user->method == USER_PASSWORD && j->user->kind == SECRET_PLAIN && check_password(j);
}

void auth_verify(struct auth *a, struct conf *conf, const struct sasl_request *r, int64_t now_ms, auth_done *done, void *arg,
                 struct auth_job **ret_job)
{
    struct auth_job *j = job_new(a, conf, r);
    enum crypto_class class;
    uint8_t made[SASL_SHA256];

    *ret_job = NULL;
    if (!j) {
        done(arg, AUTH_LATER, NULL, NULL);
        return;
    }
    j->now_ms = now_ms;
    j->done = done;
    j->arg = arg;
    if (is_right_at_once(j)) {
        j->right = true;
        finish(j);
        return;
    }
    made_salt(a, j->r.user, made);
    memcpy(j->salt, made, AUTH_SALT);
    j->salt_n = AUTH_SALT;
    class = j->user && j->user->method == USER_SYSTEM ? CRYPTO_PAM : CRYPTO_AUTH;
    *ret_job = j;
    if (crypto_run(a->crypto, class, work, finish, j) < 0) {
        *ret_job = NULL;
        job_free(j);
        done(arg, AUTH_LATER, NULL, NULL);
    }
}

void auth_cancel(struct auth_job *job)
{
    job->done = NULL;
}

/* ---------------------------------------------------------------- life */
int auth_new(struct crypto *crypto, auth_system *system, struct auth **ret, struct fl_err *err)
{
    struct auth *a = calloc(1, sizeof *a);

    if (!a)
        return fl_fail(err, FL_ENOMEM, "log-ins: out of memory");
    a->crypto = crypto;
    a->system = system ? system : auth_pam;
    TAILQ_INIT(&a->oldest);
    if (auth_random(a->key, sizeof a->key) < 0) {
        auth_free(a);
        return fl_fail(err, FL_EIO, "log-ins: the system gives no random bytes");
    }
    *ret = a;
    return 0;
}

void auth_free(struct auth *a)
{
    if (!a)
        return;
    auth_forget_all(a);
    explicit_bzero(a->key, sizeof a->key);
    free(a);
}

/* ---------------------------------------------------------------- makers */
int auth_make_hash(struct slice password, struct buf *out, struct fl_err *err)
{
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    char *text = slice_dup(password);
    void *data = NULL;
    int size = 0, rc = 0;
    const char *made = NULL;

    if (!text)
        return fl_fail(err, FL_ENOMEM, "out of memory");
    if (crypt_gensalt_rn("$y$", 0, NULL, 0, setting, sizeof setting))
        made = crypt_ra(text, setting, &data, &size);
    if (!made || made[0] == '*')
        rc = fl_fail(err, FL_EINVAL, "the system cannot make a yescrypt hash of it (at most %d octets)", CRYPT_MAX_PASSPHRASE_SIZE - 1);
    else if (buf_add_text(out, made) < 0)
        rc = fl_fail(err, FL_ENOMEM, "out of memory");
    explicit_bzero(text, password.n);
    free(text);
    if (data) {
        explicit_bzero(data, (size_t)size);
        free(data);
    }
    return rc;
}

int auth_make_verifier(struct slice password, struct buf *out, struct fl_err *err)
{
    uint8_t salt[AUTH_SALT];
    struct scram_keys keys;
    int rc = 0;

    if (auth_random(salt, sizeof salt) < 0)
        return fl_fail(err, FL_EIO, "the system gives no random bytes");
    if (!scram_derive(password, salt, sizeof salt, AUTH_SCRAM_ITERATIONS, &keys))
        return fl_fail(err, FL_ENOMEM, "out of memory");
    if (buf_printf(out, "SCRAM-SHA-256$%d:", AUTH_SCRAM_ITERATIONS) < 0 || base64_encode(slice_make(salt, sizeof salt), out) < 0 ||
        buf_add_char(out, '$') < 0 || base64_encode(slice_make(keys.stored, sizeof keys.stored), out) < 0 ||
        buf_add_char(out, ':') < 0 || base64_encode(slice_make(keys.server, sizeof keys.server), out) < 0)
        rc = fl_fail(err, FL_ENOMEM, "out of memory");
    explicit_bzero(&keys, sizeof keys);
    return rc;
}
