/* listing.h: commands that list: page after page from the daemon, printed as it comes, as a table, one JSON array, or JSON
 * lines. Main thread. */
#ifndef FL_LISTING_H
#define FL_LISTING_H

#include "client.h"
#include "print.h"

/* Their options, and the part of an option table that reads them. */
struct listing_options {
    const char *socket, *limit;
    bool json, jsonl;
};

#define LISTING_OPTIONS(o)                                                                             \
    { "socket", .text = &(o).socket }, { "limit", .text = &(o).limit }, { "json", .flag = &(o).json }, \
    {                                                                                                  \
        "jsonl", .flag = &(o).jsonl                                                                    \
    }

#define LISTING_HELP                              \
    "  --limit N        at most so many rows\n"   \
    "  --json           one JSON array\n"         \
    "  --jsonl          one JSON object a line\n" \
    "  --socket PATH    the daemon's control socket\n"

/* Lists what `target` has; target holds a query already ("…?") to which after= and limit= are added. Returns an exit status. */
int listing_run(const struct cmd_globals *globals, const struct cmd *cmd, const struct listing_options *o, const char *target,
                const struct print_column *columns);

/* The same for one object. */
struct object_options {
    const char *socket;
    bool json;
};

#define OBJECT_OPTIONS(o)              \
    { "socket", .text = &(o).socket }, \
    {                                  \
        "json", .flag = &(o).json      \
    }
#define OBJECT_HELP                        \
    "  --json           one JSON object\n" \
    "  --socket PATH    the daemon's control socket\n"

/* Prints one object; more() prints what columns cannot say, and may be NULL. */
int object_run(const struct cmd_globals *globals, const struct cmd *cmd, const struct object_options *o, const char *target,
               const struct print_column *columns, void (*more)(const json_t *object));

/* "BASE/A/B" with A/B… from a name with slashes, its parts percent-encoded: the first `parts` slashes part it, a further one
 * belongs to the last part. CMD_USAGE when it has too few parts. out: a path ready for client_get. */
int target_of_name(const struct cmd *cmd, const char *base, const char *name, int parts, struct buf *out);

/* What goes before one more pair of a target's query: nothing behind the "?", "&" behind another pair. */
const char *listing_separator(struct slice target);

#endif
