/* fault.h: planted faults. A build with -Dfaults=true can be told to go wrong at one named place, so that the simulators
 * prove that they would notice (tests/sim/planted.py plays them all). In every other build FAULT(name) is the constant 0,
 * and nothing is left of it.
 *
 * Any thread; the fault is chosen once, before anything runs. */
#ifndef FL_FAULT_H
#define FL_FAULT_H

/* What store_sim has to find. */
#define FAULTS_OF_STORE(X) \
    X(answer_before_commit, "an accept is answered when it is posted, and not after its COMMIT") \
    X(commit_not_synced, "a COMMIT does not sync SQLite's log") \
    X(segment_not_synced, "bodies are not synced before the COMMIT that points to them") \
    X(folder_not_synced, "the name of a new segment is not synced") \
    X(sync_tried_again, "a sync that failed is tried again, and its success believed") \
    X(segment_unlinked_early, "a dead segment is unlinked before the COMMIT") \
    X(unknown_is_failed, "a COMMIT that ended unknown counts as failed, though it is in the database") \
    X(settle_lost, "a settle is answered as done when its batch failed") \
    X(dsn_apart, "a DSN is stored in a transaction of its own") \
    X(message_left, "a message whose last recipient was parked is never removed") \
    X(queue_miscounted, "a queue counts recipients, and forgets the messages that leave it") \
    X(load_skips_key, "a load goes on behind the first row that did not fit into the last one") \
    X(body_unchecked, "the checksum of a body is not looked at") \
    X(large_not_synced, "the file of a large body is not synced") \
    X(large_left_behind, "the file of a large body that was aborted stays")

/* What relay_sim has to find. */
#define FAULTS_OF_VMTA(X) \
    X(ceiling_off_by_one, "a ceiling lets one more through") \
    X(path_off_by_one, "a path opens one connection more than its limit") \
    X(wake_lost, "a ceiling that has room again wakes nobody") \
    X(rate_by_message, "a rate counts messages where it speaks of recipients") \
    X(time_not_raised, "a tenant that comes back keeps its old virtual time") \
    X(jitter_unbounded, "a retry is spread over twice its interval, whatever the jitter") \
    X(hold_forgotten, "a hold does not outlive a restart") \
    X(dropped_still_counted, "a queue counts what was dropped") \
    X(profile_blames_path, "a failed handshake or log-in of one profile sets back everybody's path") \
    X(refusal_blames_path, "one tenant's refusal at MAIL sets back everybody's path") \
    X(refusal_for_all, "a refused recipient ends those that were taken before it") \
    X(lost_dot_is_yes, "a connection lost between the dot and its reply counts as delivered") \
    X(unjudged_is_yes, "recipients that a 421 or a lost connection left unjudged count as delivered") \
    X(nxdomain_at_once, "a domain bounces at the first NXDOMAIN") \
    X(grant_forgotten, "mail is moved to a VMTA that its tenant may not use") \
    X(step_unnoticed, "a step of the clock is not noticed")

enum fault {
    FAULT_none,
#define FAULT_ID(name, text) FAULT_##name,
    FAULTS_OF_STORE(FAULT_ID) FAULTS_OF_VMTA(FAULT_ID)
#undef FAULT_ID
    FAULTS
};

#ifdef FL_FAULTS
#include <stdbool.h>

extern enum fault fault_planted;

#define FAULT(name) (fault_planted == FAULT_##name)

/* Plants the fault of this name. False when there is none. */
bool fault_plant(const char *name);
#else
#define FAULT(name) (FAULT_##name == FAULT_none)
#endif

#endif
