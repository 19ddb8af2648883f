/* admin_call.c: answers, and who asks. Loop thread. */
#include "admin_call.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>

#include "admin_json.h"
#include "admin_problem.h"
#include "domain.h"

static void finish(struct admin_call *c, const struct admin_answer *a, struct buf *body)
{
    struct admin_request *q = c->q;

    arena_free(c->arena);
    free(c);
    admin_respond(q, a, body);
}

void call_answer_problem(struct admin_call *c, int status, struct slice detail)
{
    struct buf body;

    buf_init(&body, 0);
    if (admin_problem_write(status, detail, &body) < 0)
        buf_clear(&body); /* the status alone says most of it */
    finish(c, &(struct admin_answer){ .status = status, .content_type = ADMIN_PROBLEM_TYPE }, &body);
    buf_free(&body);
}

void call_answer_json(struct admin_call *c, int status, json_t *json)
{
    struct buf body;

    buf_init(&body, 0);
    if (admin_json_write(json, &body) < 0)
        call_answer_problem(c, 500, SLICE("out of memory"));
    else
        finish(c, &(struct admin_answer){ .status = status, .content_type = "application/json" }, &body);
    buf_free(&body);
}

void call_answer_text(struct admin_call *c, const char *content_type, struct buf *body)
{
    finish(c, &(struct admin_answer){ .status = 200, .content_type = content_type }, body);
}

void call_answer_error(struct admin_call *c, int rc, const char *text)
{
    static const struct {
        int code, status;
        const char *text;
    } table[] = {
        { FL_EINVAL, 400, "this cannot be done" },  { FL_ENOENT, 404, "there is no such thing" },
        { FL_EDENIED, 403, "this is not allowed" }, { FL_EBUSY, 409, "something like it is going on already" },
        { FL_ELIMIT, 503, "too much is going on" }, { FL_EIO, 503, "the store fails" },
        { FL_EFULL, 503, "the disk is full" },      { FL_ENOMEM, 500, "out of memory" },
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (table[i].code == rc) {
            call_answer_problem(c, table[i].status, slice_of(text && *text ? text : table[i].text));
            return;
        }
    }
    call_answer_problem(c, 500, slice_of(text && *text ? text : "an unexpected failure"));
}

/* From /etc/passwd itself: a look-up by name service could take long, and this is the loop's thread. */
static const char *user_name(struct arena *arena, uid_t uid)
{
    FILE *f = fopen("/etc/passwd", "re");
    const char *name = NULL;
    struct passwd line, *found;
    char text[1024];

    while (f && !name && fgetpwent_r(f, &line, text, sizeof text, &found) == 0)
        if (found->pw_uid == uid)
            name = arena_text(arena, found->pw_name);
    if (f)
        fclose(f);
    return name ? name : arena_printf(arena, "uid %u", (unsigned)uid);
}

struct slice call_who(struct admin_call *c)
{
    return c->who.n || !c->q->is_local ? c->who : slice_of(user_name(c->arena, c->q->peer_uid));
}

const char *call_queue_name(struct admin_call *c)
{
    const struct slice *s = c->path.segment;
    struct slice domain = s[4];
    char canonical[DOMAIN_MAX];

    if (domain_canonical(domain, canonical))
        domain = slice_of(canonical);
    return arena_printf(c->arena, "%.*s/%.*s/%.*s", SLICE_ARG(s[2]), SLICE_ARG(s[3]), SLICE_ARG(domain));
}
