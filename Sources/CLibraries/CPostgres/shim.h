#pragma once
#include <libpq-fe.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

// eventfd's flags are an enumeration that Swift imports without the operators to combine them.
static inline int relay_eventfd(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

// PG_DIAG_… are character constants, which Swift does not import as integers.
static inline const char *relay_result_sqlstate(const PGresult *result) {
    return PQresultErrorField(result, PG_DIAG_SQLSTATE);
}
// The function in the server's source that said it: unlike the text, it is in no language.
static inline const char *relay_result_function(const PGresult *result) {
    return PQresultErrorField(result, PG_DIAG_SOURCE_FUNCTION);
}
static inline const char *relay_result_detail(const PGresult *result) {
    return PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
}
static inline const char *relay_result_severity(const PGresult *result) {
    return PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
}
