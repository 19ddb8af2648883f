/* print.h: results for people: tables, and "name: value" lines; colours on a terminal only. Main thread; writes to stdout.
 * The JSON that the daemon gave is cleaned once more: it holds what strangers wrote. */
#ifndef FL_PRINT_H
#define FL_PRINT_H

#include <jansson.h>
#include <stdbool.h>

enum print_kind {
    PRINT_TEXT,
    PRINT_STATE,  /* coloured */
    PRINT_NUMBER, /* these stand at the right */
    PRINT_BYTES,  /* "1.2MiB" */
    PRINT_AGE,    /* seconds as "2d 4h" */
    PRINT_TIME,   /* RFC 3339, without its milliseconds */
    PRINT_REPLY,  /* last_reply: "rcpt: 451 4.7.1 text" */
};

struct print_column {
    const char *title;
    const char *key; /* of the row; NULL ends the list */
    enum print_kind kind;
};

enum { PRINT_COLUMNS_MAX = 12, PRINT_CELL_MAX = 100 }; /* columns of a table; characters of a cell, the last column aside */

struct print_table {
    const struct print_column *columns;
    int width[PRINT_COLUMNS_MAX];
    bool has_title; /* was printed */
};

/* Prints rows (an array of objects) in columns. To be called again for more rows of the same table: columns keep their width.
 */
void print_rows(struct print_table *t, const json_t *rows);
/* "title: value" for each column of one object. */
void print_object(const struct print_column *columns, const json_t *object);
/* One line of text from outside. */
void print_line(const char *indent, const char *text);
/* JSON on one line. */
void print_json(const json_t *json);
/* Flushes. CMD_DONE, or CMD_WRONG after having said that stdout takes no more. */
int print_end(void);

#endif
