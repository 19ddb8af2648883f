/* op.c: see op.h. */
#include "op.h"

#include <stdalign.h>
#include <stdlib.h>

enum { ROWS_FIRST = 16 };

struct op *op_new(enum op_type type, size_t extra)
{
    struct op *op = malloc(sizeof *op + extra);

    if (!op)
        return NULL;
    *op = (struct op){ .type = type };
    op->spare = (char *)(op + 1);
    return op;
}

void *op_keep_bytes(struct op *op, const void *p, size_t n, size_t align)
{
    char *at = (char *)(((uintptr_t)op->spare + align - 1) & ~(uintptr_t)(align - 1));

    if (n)
        memcpy(at, p, n);
    op->spare = at + n;
    return at;
}

struct slice op_keep(struct op *op, struct slice s)
{
    return s.n ? slice_make(op_keep_bytes(op, s.p, s.n, 1), s.n) : SLICE_NONE;
}

int op_rows_add(struct op_rows *rows, struct envelope *e)
{
    if (rows->count == rows->room) {
        int room = rows->room ? rows->room * 2 : ROWS_FIRST;
        struct envelope **bigger = realloc(rows->envelopes, (size_t)room * sizeof(struct envelope *));

        if (!bigger) {
            envelope_unref(e);
            return FL_ENOMEM;
        }
        rows->envelopes = bigger;
        rows->room = room;
    }
    rows->envelopes[rows->count++] = e;
    return 0;
}

void op_rows_clear(struct op_rows *rows)
{
    for (int i = 0; i < rows->count; i++)
        envelope_unref(rows->envelopes[i]);
    free(rows->envelopes);
    *rows = (struct op_rows){ .next_due_ms = INT64_MAX };
}

struct op_message *op_message(struct op *op)
{
    if (op->type == OP_ACCEPT)
        return &op->accept;
    return op->type == OP_SETTLE && op->settle.dsn.env ? &op->settle.dsn : NULL;
}

void op_free(struct op *op)
{
    switch (op->type) {
    case OP_ACCEPT:
        envelope_unref(op->accept.env);
        break;
    case OP_SETTLE:
        envelope_unref(op->settle.env);
        envelope_unref(op->settle.stored);
        envelope_unref(op->settle.dsn.env);
        break;
    case OP_LOAD:
    case OP_LOAD_EXPIRED:
    case OP_SELECT:
    case OP_LIST_QUEUE:
    case OP_SHOW:
        op_rows_clear(&op->find.rows);
        break;
    case OP_READ:
        body_unref(op->read.body);
        free(op->read.bytes);
        break;
    case OP_SPOOL_FINISH:
        body_unref(op->spool.body);
        break;
    default:
        break;
    }
    free(op);
}
