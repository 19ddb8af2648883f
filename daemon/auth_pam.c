/* auth_pam.c: see auth_pam.h. */
#include "auth_pam.h"

#include <security/pam_appl.h>
#include <stdlib.h>
#include <string.h>

/* Answers every hidden prompt with the password, and every other with nothing: there is nobody to ask. The password travels as
 * the conversation's own pointer. */
static int converse(int count, const struct pam_message **messages, struct pam_response **ret, void *password)
{
    struct pam_response *answers;

    if (count <= 0 || count > PAM_MAX_NUM_MSG)
        return PAM_CONV_ERR;
    answers = calloc((size_t)count, sizeof *answers);
    if (!answers)
        return PAM_BUF_ERR;
    for (int i = 0; i < count; i++)
        if (messages[i]->msg_style == PAM_PROMPT_ECHO_OFF) {
            answers[i].resp = strdup(password);
            if (!answers[i].resp)
                goto fail;
        }
    *ret = answers;
    return PAM_SUCCESS;
fail:
    for (int i = 0; i < count; i++) {
        if (answers[i].resp)
            explicit_bzero(answers[i].resp, strlen(answers[i].resp));
        free(answers[i].resp);
    }
    free(answers);
    return PAM_BUF_ERR;
}

/* The server has a delay of its own, the same for users that do not exist. */
static void no_delay(int status, unsigned microseconds, void *arg) {}

bool auth_pam(const char *user, const char *password)
{
    struct pam_conv conv = { .conv = converse };
    pam_handle_t *pam = NULL;
    void (*delay)(int, unsigned, void *) = no_delay;
    const void *item;
    int rc;

    memcpy(&conv.appdata_ptr, &password, sizeof password);
    rc = pam_start("fairlead", user, &conv, &pam);
    if (rc != PAM_SUCCESS)
        return false;
    memcpy(&item, &delay, sizeof item);
    pam_set_item(pam, PAM_FAIL_DELAY, item);
    rc = pam_authenticate(pam, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
    if (rc == PAM_SUCCESS)
        rc = pam_acct_mgmt(pam, PAM_SILENT);
    pam_end(pam, rc);
    return rc == PAM_SUCCESS;
}
