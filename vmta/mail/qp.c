/* qp.c: see qp.h. */
#include "qp.h"

enum { LINE_MAX_QP = 76 };

/* Whether the byte at i may stand for itself. A blank may not end a line; a dot is kept from its start. */
static bool is_literal(struct slice text, size_t i, size_t column)
{
    char c = text.p[i];

    if (c == ' ' || c == '\t')
        return i + 1 < text.n && text.p[i + 1] != '\r';
    return c > ' ' && c < 0x7f && c != '=' && !(c == '.' && column == 0);
}

int qp_encode(struct slice text, struct buf *out)
{
    size_t column = 0;

    for (size_t i = 0; i < text.n; i++) {
        bool literal;
        int rc;

        if (text.p[i] == '\r' && i + 1 < text.n && text.p[i + 1] == '\n') {
            rc = buf_add(out, SLICE("\r\n"));
            column = 0;
            i++;
        } else {
            literal = is_literal(text, i, column);
            if (column + (literal ? 1 : 3) > LINE_MAX_QP - 1) { /* room for the soft line break's "=" */
                rc = buf_add(out, SLICE("=\r\n"));
                if (rc < 0)
                    return rc;
                column = 0;
                literal = is_literal(text, i, column);
            }
            rc = literal ? buf_add_char(out, text.p[i]) : buf_printf(out, "=%02X", (unsigned char)text.p[i]);
            column += literal ? 1 : 3;
        }
        if (rc < 0)
            return rc;
    }
    return 0;
}
