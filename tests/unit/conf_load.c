/* The loader as a whole: includes, hostile files, and what holds across the parts of a configuration. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf_desk.h"
#include "err.h"

static struct conf_desk desk;

static int setup(void **state)
{
    conf_desk_open(&desk);
    return 0;
}

static int teardown(void **state)
{
    conf_desk_close(&desk);
    return 0;
}

static void must_find(bool is_warning, const char *file, int line, const char *words)
{
    struct buf all;

    if (conf_desk_found(&desk, is_warning, file, line, words))
        return;
    buf_init(&all, 0);
    for (int i = 0; i < desk.findings.count; i++)
        conf_finding_text(&desk.findings.items[i], &all);
    buf_add_char(&all, '\0');
    fail_msg("no %s at %s:%d with %s; found:\n%s", is_warning ? "warning" : "error", file, line, words, buf_slice(&all).p);
}

/* The text is wrong at that line of main.yaml, in these words. */
static void wrong(const char *text, int line, const char *words)
{
    if (conf_desk_try(&desk, text) != FL_EINVAL || desk.conf)
        fail_msg("taken: %s", text);
    must_find(false, "main.yaml", line, words);
}

static void doubtful(const char *text, int line, const char *words)
{
    conf_desk_try(&desk, text);
    if (!desk.conf)
        fail_msg("refused: %s", desk.findings.items[0].text);
    must_find(true, "main.yaml", line, words);
}

static void right(const char *text)
{
    conf_desk_try(&desk, text);
    for (int i = 0; i < desk.findings.count; i++)
        if (!desk.findings.items[i].is_warning)
            fail_msg("line %d: %s", desk.findings.items[i].at.line, desk.findings.items[i].text);
    assert_non_null(desk.conf);
}

#define TENANT                                                                                                                \
    "tenants: {acme: {sender_domains: [\"*\"], vmtas: [m], route: m}}\nvmtas: {m: {source_addresses: [127.0.0.1], hostname: " \
    "m.test}}\n"

static void an_empty_file_is_a_configuration(void **state)
{
    right("");
    right("# nothing\n");
    right("{}\n");
    assert_string_equal(desk.conf->server.data_dir, "/var/lib/fairlead");
    assert_string_equal(desk.conf->admin.socket, "/run/fairlead/control.sock");
}

static void a_byte_order_mark_is_no_column(void **state)
{
    right("\xef\xbb\xbf" "log: {level: debug}\ndns: {timeout: 3s}\n");
    assert_int_equal(desk.conf->dns.timeout_ms, 3000);
    wrong("\xef\xbb\xbf" "log: {level: loud}\n", 1, "loud");
    wrong("log: {level: debug}\n\xef\xbb\xbf" "dns: {}\n", 2, "YAML");
}

static void files_that_are_too_large_are_named(void **state)
{
    size_t n = 65 << 20;
    char *text = malloc(n + 1);

    assert_non_null(text);
    memset(text, '\n', n);
    text[n] = 0;
    conf_desk_write(&desk, "t/large.yaml", text);
    free(text);
    conf_desk_try(&desk, "include: [t/large.yaml]\n");
    must_find(false, "t/large.yaml", 1, "larger than 64 MiB");
    conf_desk_write(&desk, "t/large.yaml", "");
}

static void what_is_no_yaml_is_told_with_its_line(void **state)
{
    wrong("server: [\n", 2, "YAML");
    wrong("server:\n\thostname: a.test\n", 2, "YAML");
    wrong("log: {level: \"\xff\"}\n", 1, "YAML");
    wrong("a: 1\n---\nb: 2\n", 2, "document");
    wrong("log: {level: !!str info}\n", 1, "tag");
    wrong("log: &x {level: info}\ndns: *x\n", 2, "alias");
    wrong("[a, b]\n", 1, "list");
    wrong("log: {level: \"in\\0fo\"}\n", 1, "NUL");
    assert_int_equal(conf_desk_try(&desk, "tenants: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["),
                     FL_EINVAL);
    must_find(false, "main.yaml", 1, "64 deep");
}

static void includes_stay_below_the_folder(void **state)
{
    char path[128], outside[128];

    conf_desk_write(&desk, "t/a.yaml", "dns: {timeout: 3s}\n");
    conf_desk_write(&desk, "t/b.yaml", "log: {level: debug}\n");
    right("include: [t/*.yaml]\n");
    assert_int_equal(desk.conf->dns.timeout_ms, 3000);
    right("include: [t/../t/a.yaml, \"none-*.yaml\"]\n");
    right("include: [~/t/a.yaml]\n");
    right("include: [none/*.yaml, \"*/none.yaml\"]\n");
    wrong("include: [t/c.yaml]\n", 1, "t/c.yaml|No such file");
    wrong("include: [../x.yaml]\n", 1, "../x.yaml|outside");
    wrong("include: [t/../../x.yaml]\n", 1, "outside");
    wrong("include: [/etc/hostname]\n", 1, "outside");
    wrong("include: [t]\n", 1, "regular");
    wrong("include: [t/a.yaml, t/a.yaml]\n", 1, "already");
    wrong("include: [\"*.yaml\"]\n", 1, "cycle");
    snprintf(outside, sizeof outside, "%s/t/a.yaml", desk.folder);
    snprintf(path, sizeof path, "%s/link.yaml", desk.folder);
    assert_int_equal(symlink(outside, path), 0);
    wrong("include: [link.yaml]\n", 1, "link.yaml|symbolic");
    wrong("include: [\"l*.yaml\"]\n", 1, "link.yaml|symbolic");
    unlink(path);
    snprintf(path, sizeof path, "%s/folder", desk.folder);
    assert_int_equal(symlink("t", path), 0);
    wrong("include: [folder/a.yaml]\n", 1, "symbolic");
    unlink(path);
}

static void names_stand_once_over_all_files(void **state)
{
    conf_desk_write(&desk, "one.yaml", "vmtas: {m: {source_addresses: [127.0.0.1], hostname: m.test}}\nlog: {to: syslog}\n");
    conf_desk_write(&desk, "two.yaml", "include: [two.yaml]\n");
    wrong("vmtas:\n  m: {source_addresses: [127.0.0.2], hostname: m.test}\ninclude: [one.yaml]\n", 2, "m: |one.yaml");
    right("log: {level: debug}\ninclude: [one.yaml]\n");
    wrong("log:\n  to: stderr\ninclude: [one.yaml]\n", 2, "to: |one.yaml");
    assert_int_equal(conf_desk_try(&desk, "include: [two.yaml]\n"), FL_EINVAL);
    must_find(false, "two.yaml", 1, "cycle");
}

static void an_open_relay_is_refused_however_it_is_spelled(void **state)
{
    static const char *const everybody[] = {
        "[any]",
        "[\"0.0.0.0/0\"]",
        "[\"::/0\"]",
        "[0.0.0.0/1, 128.0.0.0/1]",
        "[0.0.0.0/2, 64.0.0.0/2, 128.0.0.0/1]",
        "[\"2000::/3\"]",
        "[\"::/1\", \"8000::/1\"]",
        "[0.0.0.0/1]",
    };
    static const char *const patterns[] = { "/.*/",    "/@/",                 "/./",       "/^.*$/",
                                            "/.+@.+/", "/\\\\.com$/", "/^bounce@/", "/[a-z]+$/", "/^bounce-\\\\d+@/",
                                            "/(?i)@/" };
    char text[1024];

    for (size_t i = 0; i < sizeof everybody / sizeof *everybody; i++) {
        struct slice rest = slice_of(everybody[i] + 1);
        size_t n = (size_t)snprintf(text, sizeof text, TENANT "sources:\n");

        while (rest.n) {
            struct slice one = slice_trim(slice_cut(&rest, ','));

            if (one.n && one.p[one.n - 1] == ']')
                one.n--;
            n += (size_t)snprintf(text + n, sizeof text - n, "  - {network: %.*s, always_allow_relaying: true, tenant: acme}\n",
                                  SLICE_ARG(one));
        }
        wrong(text, 4, "open relay");
    }
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        snprintf(text, sizeof text, TENANT "relay_tenant: acme\nrelay_addresses: [\"%s\"]\n", patterns[i]);
        wrong(text, 4, "open relay");
    }
    wrong(TENANT "relay_tenant: acme\nrelay_domains: [\"*\"]\n", 4, "open relay");
    wrong(TENANT "relay_tenant: acme\nrelay_domains: [\"*.com\"]\n", 4, "open relay");
    wrong("listeners:\n  - {address: \"127.0.0.1:25\", role: relay, tls: none, proxy_protocol: {from: [0.0.0.0/0]}}\n", 2,
          "relay");
    right(TENANT "sources: [{network: 10.0.0.0/8, always_allow_relaying: true, tenant: acme}, {network: \"fc00::/7\", "
                 "always_allow_relaying: true, tenant: acme}]\n");
    right(TENANT "sources: [{network: any, always_allow_relaying: true, require_auth: true, tenant: acme}]\n");
    right(TENANT "relay_tenant: acme\nrelay_addresses: ['/@foo(bar)?\\.com$/', bounce@bounce.test]\nrelay_domains: "
                 "[\"*.bounce.com\", \"*.test\"]\n");
    assert_true(conf_is_relay_recipient(desk.conf, SLICE("x@foobar.com"), SLICE("foobar.com")));
    assert_true(conf_is_relay_recipient(desk.conf, SLICE("bounce@bounce.test"), SLICE("bounce.test")));
    assert_false(conf_is_relay_recipient(desk.conf, SLICE("x@foobaz.com"), SLICE("foobaz.com")));
}

static void dangling_names_are_found(void **state)
{
    wrong("relay_tenant: nobody\n", 1, "nobody");
    wrong("sources:\n  - network: 192.0.2.0/24\n    tenant: nobody\n", 3, "nobody");
    wrong("pools:\n  p:\n    members: {nothing: 1}\n", 3, "nothing");
    wrong("tenants:\n  t:\n    vmtas: [nothing]\n", 3, "nothing");
    wrong("tenants:\n  t:\n    pools: [nothing]\n", 3, "nothing");
    wrong("tenants:\n  t:\n    route: nothing\n", 3, "nothing");
    wrong("vmtas: {m: {source_addresses: [127.0.0.1], hostname: m.test}}\ntenants:\n  t:\n    route: m\n", 4,
          "m is not granted");
}

static void what_can_never_be_delivered_is_found(void **state)
{
    static const char four[] = "vmtas:\n  m:\n    hostname: m.test\n    source_addresses: [127.0.0.1]\n";
    char text[1024];

    snprintf(text, sizeof text, "%s    ip_families: [ipv6]\n", four);
    wrong(text, 5, "ip_families|virtual MTA m");
    snprintf(text, sizeof text, "%sdefaults:\n  ip_families: [ipv6]\n", four);
    wrong(text, 6, "ip_families|virtual MTA m");
    snprintf(text, sizeof text, "%s    domains:\n      a.test: {ip_families: [ipv6]}\n", four);
    wrong(text, 6, "ip_families|virtual MTA m");
    snprintf(text, sizeof text, "%sdomains:\n  a.test: {smart_host: \"[2001:db8::1]:25\"}\n", four);
    wrong(text, 6, "smart_host|virtual MTA m");
    snprintf(text, sizeof text,
             "%s  n:\n    hostname: n.test\n    source_addresses: [\"::1\"]\ndomains:\n  a.test: {smart_host: \"[::1]:25\"}\n",
             four);
    doubtful(text, 9, "smart_host|virtual MTA m");
}

static void what_is_probably_not_meant_is_warned_of(void **state)
{
    doubtful("tls: {min_version: \"1.0\"}\n", 1, "min_version|1.0");
    doubtful("defaults:\n  tls_min_version: \"1.1\"\n", 2, "tls_min_version|1.1");
    doubtful("vmtas:\n  m:\n    hostname: m.test\n    source_addresses: [127.0.0.1]\n    domains: {\"*\": {port: "
             "26}}\ndomains:\n  a.test:\n    port: 25\n",
             8, "port|a.test|hidden|*|m");
    doubtful("server: {user: no-such-user-here}\n", 1, "user|no-such-user-here");
    doubtful("accounting:\n  - {file: /no/such/folder/a.jsonl}\n", 2, "file|/no/such/folder");
    doubtful("server: {data_dir: /no/such/folder/data}\n", 1, "data_dir|/no/such/folder");
    doubtful(TENANT "relay_tenant: acme\nrelay_addresses: ['/@foo\\.com/']\n", 4, "$");
}

static void entries_that_exclude_each_other_are_found(void **state)
{
    wrong("listeners:\n  - {address: \"127.0.0.1:25\", role: relay, tls: none}\n  - {address: \"127.0.0.1:25\", role: inbound, "
          "tls: none}\n",
          3, "already");
    wrong("listeners:\n  - {address: \"127.0.0.1:25\", role: relay, tls: starttls}\n", 2, "certificate");
    wrong("tenants:\n  a: {users: {u: {method: system}}}\n  b: {users: {u: {method: system}}}\n", 3, "u|tenant a");
    wrong("sources:\n  - {network: any}\n  - {network: 0.0.0.0/0}\n", 3, "already");
    wrong("domains:\n  A.test: {}\n  a.test: {}\n", 3, "twice");
    wrong("tenants:\n  a:\n    users:\n      u: {method: password, password: {hash: \"$y$x\"}}\n", 4, "hash|crypt");
    wrong("tenants:\n  a:\n    users:\n      u: {method: password, password: {scram: \"SCRAM-SHA-256$1:AA==$AA==:AA==\"}}\n", 4,
          "scram");
    wrong("tenants:\n  a:\n    routes:\n      - {when: {user: nobody}, to: x}\n", 4, "nobody");
    assert_null(strstr(desk.findings.items[0].text, "$y$x"));
}

static void the_socket_is_found_in_a_file_that_is_wrong_elsewhere(void **state)
{
    static const char *const texts[] = {
        "serve: {}\nserver: {data_dir: /var/data, user: [x]}\nadmin: {socket: control.sock}\n",
        "server: {data_dir: /var/data}\nrelay_domains: [some.domain\nadmin:\n  socket: control.sock\n",
        "server: {data_dir: /var/data}\nadmin: {socket: control.sock}\ntenants:\n\tacme: {}\n",
        "dns: *x\nadmin: {socket: \"control.sock\"} # here\nserver:\n  data_dir: /var/data\n  user: \"x\n",
        "server: {data_dir: /var/data}\nadmin:\n  socket: control.sock\n  http: {address: \"127.0.0.1:80\"\nlog: {level: info}\n",
        "# a\n---\nserver: {data_dir: /var/data}\nlog: {to: \x01}\n\"admin\": {http: {}, socket: control.sock,}\n...\n",
        "server: {data_dir: /var/data}\ntls: [\n]]\nadmin: {socket: control.sock}",
    };
    char main_file[128];
    struct buf path;

    snprintf(main_file, sizeof main_file, "%s/main.yaml", desk.folder);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        conf_desk_write(&desk, "main.yaml", texts[i]);
        buf_init(&path, 0);
        if (conf_load_socket(main_file, &path) != 0 || !slice_eq(buf_slice(&path), SLICE("/var/data/control.sock")))
            fail_msg("%s: %.*s", texts[i], SLICE_ARG(buf_slice(&path)));
        buf_free(&path);
    }
    conf_desk_write(&desk, "main.yaml", "include: [admin.yaml]\nlog: {level: [}\nserver: {data_dir: /var/data}\n");
    conf_desk_write(&desk, "admin.yaml", "tls: }\nadmin:\n  socket: control.sock\n");
    buf_init(&path, 0);
    assert_int_equal(conf_load_socket(main_file, &path), 0);
    assert_true(slice_eq(buf_slice(&path), SLICE("/var/data/control.sock")));
    buf_free(&path);
    buf_init(&path, 0);
    conf_desk_write(&desk, "main.yaml", "}\n");
    assert_int_equal(conf_load_socket(main_file, &path), FL_ENOENT);
    assert_int_equal(conf_load_socket("/nowhere/at.all", &path), FL_ENOENT);
}

#define USERS(users)                                                                                                          \
    "tenants: {acme: {sender_domains: [\"*\"], vmtas: [m], route: m, users: {\n" users "}}}\nvmtas: {m: {source_addresses: "     \
    "[127.0.0.1], hostname: m.test}}\n"
#define PRINT "\"01:23:45:67:89:ab:cd:ef:01:23:45:67:89:ab:cd:ef:01:23:45:67:89:ab:cd:ef:01:23:45:67:89:ab:cd:ef\""

static void what_a_user_proves_goes_with_the_method(void **state)
{
    static const uint8_t print[32] = { 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
                                       0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef };
    static const uint8_t other[32] = { 1 };

    right(USERS("robot: {method: certificate, certificate: {sha256: " PRINT "}}, alice: {method: system},\n"
                "foo: {method: password, password: {plain: secret-enough}}"));
    assert_string_equal(conf_user_by_sha256(desk.conf, print)->name, "robot");
    assert_null(conf_user_by_sha256(desk.conf, other));
    assert_null(conf_user_by_dns(desk.conf, SLICE("client.test")));
    assert_int_equal(conf_user(desk.conf, SLICE("alice"))->method, USER_SYSTEM);
    wrong(USERS("a: {method: certificate}"), 2, "needs a certificate");
    wrong(USERS("a: {method: password}"), 2, "needs a password");
    wrong(USERS("a: {method: system, password: {plain: secret-enough}}"), 2, "method password only");
    wrong(USERS("a: {method: system, certificate: {sha256: " PRINT "}}"), 2, "method certificate only");
    wrong(USERS("a: {method: certificate, certificate: {}}"), 2, "one of sha256 and dns is required");
    wrong(USERS("a: {method: certificate, certificate: {sha256: " PRINT ", dns: c.test}}"), 2, "one is allowed");
    wrong(USERS("a: {method: certificate, certificate: {dns: c.test}}"), 2, "tls.client_ca");
    wrong(USERS("a: {method: password, password: {}}"), 2, "one of plain, hash and scram");
    wrong(USERS("a: {method: password, password: {plain: secret-enough, hash: x}}"), 2, "one is allowed");
    wrong(USERS("a: {method: password, password: {hash: plainly}}"), 2, "this is no hash");
    wrong(USERS("a: {method: certificate, certificate: {sha256: " PRINT "}},\nb: {method: certificate, certificate: {sha256: "
                PRINT "}}"), 3, "certificate");
}

static void hosts_are_looked_up_by_their_canonical_names(void **state)
{
    const struct conf_host *h;

    right("dns: {hosts: {MX.Two.test: [127.0.0.1, \"::1\"], a.test: 127.0.0.2}}\n");
    h = conf_host(desk.conf, SLICE("mx.two.test"));
    assert_int_equal(h->addr_count, 2);
    assert_int_equal(h->addrs[1].family, 6);
    assert_int_equal(conf_host(desk.conf, SLICE("a.test"))->addr_count, 1);
    assert_null(conf_host(desk.conf, SLICE("b.test")));
    wrong("dns: {hosts: {a.test: 127.0.0.1, A.test: 127.0.0.2}}\n", 1, "stands there twice");
}

static void tokens_can_be_sent_and_told_apart(void **state)
{
    right("admin: {http: {address: \"127.0.0.1:8025\", tokens: [{name: ops, token: aB-._~+/09==}], open: [/healthz]}}\n");
    assert_string_equal(desk.conf->admin.tokens[0].name, "ops");
    assert_int_equal(desk.conf->admin.open_count, 1);
    wrong("admin: {http: {address: \"127.0.0.1:8025\", tokens: [{name: ops, token: \"two words\"}]}}\n", 1, "sent in a header");
    wrong("admin: {http: {address: \"127.0.0.1:8025\", tokens: [{name: a, token: b},\n{name: a, token: c}]}}\n", 2, "twice");
    doubtful("admin: {http: {address: \"192.0.2.1:8025\", tokens: [{name: a, token: b}]}}\n", 1, "in clear");
}

static struct inet_addr address(const char *text)
{
    struct inet_addr a;

    assert_true(inet_addr_parse(slice_of(text), &a));
    return a;
}

static bool is_ours(const char *text, uint16_t port)
{
    struct inet_addr a = address(text);

    return conf_is_own_listener(desk.conf, &a, port);
}

static void what_is_ours_is_known(void **state)
{
    right("server: {hostname: relay.test}\nlisteners: [{address: \"0.0.0.0:2525\", role: submission, tls: none}, {address: \"127.0.0.9:25\", tls: none, role: "
          "submission}]\n" TENANT);
    assert_true(is_ours("127.0.0.1", 2525));  /* a source address, and loopback */
    assert_true(is_ours("127.8.8.8", 2525));
    assert_true(is_ours("0.0.0.0", 2525));
    assert_false(is_ours("192.0.2.1", 2525)); /* another machine's */
    assert_false(is_ours("::1", 2525));
    assert_true(is_ours("127.0.0.9", 25));
    assert_false(is_ours("127.0.0.8", 25));
    assert_true(conf_is_own_name(desk.conf, SLICE("relay.test")));
    assert_true(conf_is_own_name(desk.conf, SLICE("m.test")));
    assert_false(conf_is_own_name(desk.conf, SLICE("other.test")));
}

/* As `explain` prints it: what can be typed again, without the password. */
static void reads_as(const char *defaults, enum setting key, const char *text)
{
    struct buf out;

    buf_init(&out, 0);
    right(defaults);
    assert_int_equal(setting_text(key, settings_get(&desk.conf->defaults, key), &out), 0);
    buf_add_char(&out, '\0');
    assert_string_equal(buf_slice(&out).p, text);
    buf_free(&out);
}

static void settings_read_as_they_are_typed(void **state)
{
    reads_as("defaults: {retry: {first: 5m, factor: 2, max: 4h, jitter: 10%}}\n", SET_RETRY, "{first: 5m, factor: 2, max: 4h, jitter: 10%}");
    reads_as("defaults: {retry: [5m, 1h]}\n", SET_RETRY, "[5m, 1h]");
    reads_as("defaults: {retry: 10m}\n", SET_RETRY, "10m");
    reads_as("defaults: {smart_host: \"[192.0.2.1]:2525\"}\n", SET_SMART_HOST, "[192.0.2.1]:2525");
    reads_as("defaults: {smart_host: {host: \"hub.test:465\", tls: verify, implicit_tls: true, user: me, password: {env: HOME}}}\n",
             SET_SMART_HOST, "{host: \"hub.test:465\", tls: verify, implicit_tls: true, user: \"me\"}");
    reads_as("defaults: {ip_families: [ipv4]}\n", SET_IP_FAMILIES, "[ipv4]");
    reads_as("", SET_SMART_HOST, "null");
    reads_as("", SET_MAX_MESSAGE_RATE, "unlimited");
    reads_as("", SET_TIMEOUTS, "rfc5321");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_file_is_a_configuration),
        cmocka_unit_test(a_byte_order_mark_is_no_column),
        cmocka_unit_test(files_that_are_too_large_are_named),
        cmocka_unit_test(what_is_no_yaml_is_told_with_its_line),
        cmocka_unit_test(includes_stay_below_the_folder),
        cmocka_unit_test(names_stand_once_over_all_files),
        cmocka_unit_test(an_open_relay_is_refused_however_it_is_spelled),
        cmocka_unit_test(dangling_names_are_found),
        cmocka_unit_test(what_can_never_be_delivered_is_found),
        cmocka_unit_test(what_is_probably_not_meant_is_warned_of),
        cmocka_unit_test(entries_that_exclude_each_other_are_found),
        cmocka_unit_test(what_a_user_proves_goes_with_the_method),
        cmocka_unit_test(hosts_are_looked_up_by_their_canonical_names),
        cmocka_unit_test(tokens_can_be_sent_and_told_apart),
        cmocka_unit_test(what_is_ours_is_known),
        cmocka_unit_test(settings_read_as_they_are_typed),
        cmocka_unit_test(the_socket_is_found_in_a_file_that_is_wrong_elsewhere),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
