/* auth.c: see auth.h. */
#include "auth.h"

#include <stdlib.h>
#include <sys/queue.h>
#include <uthash.h>

#include "auth_pam.h"
#include "auth_secret.h"
#include "crypto.h"

enum { KEY = SASL_SHA256 };

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
    void *system_arg;
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

/* ---------------------------------------------------------------- salts */
/* The salt of a user that has no verifier: the same each time, and the same for users that do not exist. */
static void made_salt(const struct auth *a, struct slice user, uint8_t ret[SASL_SHA256])
{
    uint8_t key[SASL_SHA256];

    secret_hmac(a->key, sizeof a->key, SLICE("SCRAM salt"), key);
    secret_hmac(key, sizeof key, user, ret);
    explicit_bzero(key, sizeof key);
}

void auth_scram_salt(const struct auth *a, const struct conf *conf, struct slice user, uint8_t ret_salt[SASL_SALT_MAX],
                     size_t *ret_n, int *ret_iterations)
{
    const struct conf_user *u = conf_user(conf, user);
    uint8_t made[SASL_SHA256];
    struct secret_verifier v;

    made_salt(a, user, made);
    if (u && u->method == USER_PASSWORD && u->kind == SECRET_SCRAM && secret_verifier(u->secret, &v)) {
        memcpy(ret_salt, v.salt, v.salt_n);
        *ret_n = v.salt_n;
        *ret_iterations = v.iterations;
        explicit_bzero(&v, sizeof v);
        return;
    }
    memcpy(ret_salt, made, SECRET_SALT);
    *ret_n = SECRET_SALT;
    *ret_iterations = SECRET_ITERATIONS;
}

/* ---------------------------------------------------------------- verifying: in the pool */
static bool check_password(struct auth_job *j)
{
    const struct conf_user *u = j->user;
    struct secret_keys keys;
    struct secret_verifier v;
    bool ok;

    if (u->method == USER_SYSTEM) {
        j->burnt = true;
        return j->auth->system(j->auth->system_arg, j->r.user.p, j->r.password.p);
    }
    switch (u->kind) {
    case SECRET_PLAIN:
        return secret_same(j->r.password.p, j->r.password.n, u->secret, strlen(u->secret));
    case SECRET_HASH:
        j->burnt = true;
        return secret_matches(j->r.password.p, u->secret);
    case SECRET_SCRAM:
        ok = secret_verifier(u->secret, &v) && secret_derive(j->r.password, v.salt, v.salt_n, v.iterations, &keys) &&
             secret_same(keys.stored, sizeof keys.stored, v.keys.stored, sizeof v.keys.stored);
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
    secret_hmac_md5(slice_of(j->user->secret), j->r.challenge, digest);
    return secret_same(digest, sizeof digest, j->r.digest, sizeof j->r.digest);
}

static bool user_keys(struct auth_job *j, struct secret_keys *ret)
{
    const struct conf_user *u = j->user;
    struct secret_verifier v;

    if (u->method != USER_PASSWORD || u->kind == SECRET_HASH)
        return false;
    if (u->kind == SECRET_PLAIN)
        return secret_derive(slice_of(u->secret), j->salt, j->salt_n, SECRET_ITERATIONS, ret);
    if (!secret_verifier(u->secret, &v))
        return false;
    *ret = v.keys;
    explicit_bzero(&v, sizeof v);
    return true;
}

/* RFC 5802 3: the proof is ClientKey XOR ClientSignature, and H(ClientKey) must be StoredKey. */
static bool check_scram(struct auth_job *j)
{
    struct secret_keys keys;
    bool ok;

    if (!user_keys(j, &keys))
        return false;
    ok = secret_proof_is_right(&keys, j->r.auth_message, j->r.proof);
    if (ok)
        secret_hmac(keys.server, sizeof keys.server, j->r.auth_message, j->signature);
    explicit_bzero(&keys, sizeof keys);
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
        secret_matches(j->r.password.n ? j->r.password.p : "nobody", burn_setting);
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

    buf_init_secret(&b, 0);
    memset(ret, 0, KEY);
    if (buf_printf(&b, "%s%c%s%c", j->user->name, 0, secret, 0) == 0 && buf_add(&b, j->r.password) == 0)
        secret_hmac(j->auth->key, sizeof j->auth->key, buf_slice(&b), ret);
    else
        secret_random(ret, KEY); /* equal to nothing */
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
    if (!m->hh.tbl) {
        explicit_bzero(m, sizeof *m);
        free(m);
        return;
    }
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
    memcpy(j->salt, made, SECRET_SALT);
    j->salt_n = SECRET_SALT;
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
static bool ask_here(void *arg, const char *user, const char *password)
{
    return auth_pam(user, password);
}

int auth_new(struct crypto *crypto, auth_system *system, void *arg, struct auth **ret, struct fl_err *err)
{
    struct auth *a = calloc(1, sizeof *a);

    if (!a)
        return fl_fail(err, FL_ENOMEM, "log-ins: out of memory");
    a->crypto = crypto;
    a->system = system ? system : ask_here;
    a->system_arg = arg;
    TAILQ_INIT(&a->oldest);
    if (secret_random(a->key, sizeof a->key) < 0) {
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
