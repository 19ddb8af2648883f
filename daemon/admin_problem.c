/* admin_problem.c: problem documents. Pure. */
#include "admin_problem.h"

#include "printable.h"

static const struct {
    int status;
    const char *title;
} titles[] = {
    { 400, "Bad Request" },
    { 401, "Unauthorized" },
    { 403, "Forbidden" },
    { 404, "Not Found" },
    { 405, "Method Not Allowed" },
    { 409, "Conflict" },
    { 413, "Content Too Large" },
    { 414, "URI Too Long" },
    { 415, "Unsupported Media Type" },
    { 422, "Unprocessable Content" },
    { 500, "Internal Server Error" },
    { 503, "Service Unavailable" },
};

const char *admin_problem_title(int status)
{
    for (size_t i = 0; i < sizeof titles / sizeof *titles; i++)
        if (titles[i].status == status)
            return titles[i].title;
    return "Error";
}

/* The inside of a JSON string; line ends stay line ends. */
static int add_escaped(struct slice s, struct buf *out)
{
    int rc = 0;

    while (s.n && rc == 0) {
        size_t n = printable_char(s);

        if (*s.p == '\n')
            rc = buf_add(out, SLICE("\\n"));
        else if (*s.p == '"' || *s.p == '\\')
            rc = buf_printf(out, "\\%c", *s.p);
        else
            rc = buf_add(out, n ? slice_head(s, n) : SLICE(PRINTABLE_REPLACEMENT));
        s = slice_skip(s, n ? n : 1);
    }
    return rc;
}

int admin_problem_write(int status, struct slice detail, struct buf *out)
{
    int rc = buf_printf(out, "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,\"detail\":\"",
                        admin_problem_title(status), status);

    if (rc == 0)
        rc = add_escaped(detail, out);
    if (rc == 0)
        rc = buf_add(out, SLICE("\"}\n"));
    return rc;
}
