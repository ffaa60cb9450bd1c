// OpenSSL 3.0 for Swift: the headers, and functions for the macros that Swift cannot import. No policy here.
#pragma once
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

// MARK: Contexts

static const uint64_t relay_SSL_OP_NO_RENEGOTIATION = SSL_OP_NO_RENEGOTIATION;
static const uint64_t relay_SSL_OP_NO_COMPRESSION = SSL_OP_NO_COMPRESSION;
static const uint64_t relay_SSL_OP_CIPHER_SERVER_PREFERENCE = SSL_OP_CIPHER_SERVER_PREFERENCE;
static const uint64_t relay_SSL_OP_LEGACY_SERVER_CONNECT = SSL_OP_LEGACY_SERVER_CONNECT;

static inline int relay_SSL_CTX_add1_chain_cert(SSL_CTX *context, X509 *certificate) {
    return (int)SSL_CTX_add1_chain_cert(context, certificate);
}

static inline long relay_SSL_CTX_set_mode(SSL_CTX *context, long mode) { return SSL_CTX_set_mode(context, mode); }

static inline int relay_SSL_CTX_set_protocol_range(SSL_CTX *context, int lowest, int highest) {
    return SSL_CTX_set_min_proto_version(context, lowest) == 1 && SSL_CTX_set_max_proto_version(context, highest) == 1;
}

static inline long relay_SSL_CTX_set_max_cert_list(SSL_CTX *context, long bytes) {
    return SSL_CTX_set_max_cert_list(context, bytes);
}

static inline long relay_SSL_CTX_set_session_cache_mode(SSL_CTX *context, long mode) {
    return SSL_CTX_set_session_cache_mode(context, mode);
}

static inline int relay_SSL_CTX_set1_groups_list(SSL_CTX *context, const char *groups) {
    return (int)SSL_CTX_set1_groups_list(context, (char *)groups);
}

static inline int relay_SSL_CTX_set_tlsext_servername(
    SSL_CTX *context, int (*callback)(SSL *, int *, void *), void *argument) {
    return SSL_CTX_set_tlsext_servername_callback(context, callback) == 1
        && SSL_CTX_set_tlsext_servername_arg(context, argument) == 1;
}

// MARK: Connections

static inline int relay_SSL_set_tlsext_host_name(SSL *connection, const char *name) {
    return (int)SSL_set_tlsext_host_name(connection, name);
}

static inline const char *relay_SSL_negotiated_group_name(SSL *connection) {
    long group = SSL_get_negotiated_group(connection);
    return group == 0 ? NULL : SSL_group_to_name(connection, (int)group);
}

static inline int relay_sk_X509_num(const STACK_OF(X509) *stack) { return sk_X509_num(stack); }
static inline X509 *relay_sk_X509_value(const STACK_OF(X509) *stack, int index) { return sk_X509_value(stack, index); }
static inline STACK_OF(X509) *relay_sk_X509_new(void) { return sk_X509_new_null(); }
static inline int relay_sk_X509_push(STACK_OF(X509) *stack, X509 *certificate) { return sk_X509_push(stack, certificate); }
static inline void relay_sk_X509_free(STACK_OF(X509) *stack) { sk_X509_free(stack); }

/// What the connection carries for its owner, found again in a verification of its peer.
static inline int relay_SSL_set_app_data(SSL *connection, void *data) { return (int)SSL_set_app_data(connection, data); }
static inline void *relay_X509_STORE_CTX_app_data(X509_STORE_CTX *store) {
    SSL *connection = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    return connection == NULL ? NULL : SSL_get_app_data(connection);
}

// MARK: Our transport

static inline void relay_BIO_clear_retry_flags(BIO *bio) { BIO_clear_retry_flags(bio); }
static inline void relay_BIO_set_retry_read(BIO *bio) { BIO_set_retry_read(bio); }

// MARK: Certificates, keys and names

static inline EVP_PKEY *relay_EVP_EC_gen(const char *curve) { return EVP_EC_gen(curve); }
static inline EVP_PKEY *relay_EVP_RSA_gen(unsigned int bits) { return EVP_RSA_gen(bits); }
static inline long relay_BIO_get_mem_data(BIO *bio, char **data) { return BIO_get_mem_data(bio, data); }
static inline int relay_X509_NAME_print_rfc2253(BIO *output, const X509_NAME *name) {
    return X509_NAME_print_ex(output, name, 0, XN_FLAG_RFC2253);
}

static inline GENERAL_NAMES *relay_X509_subject_alternative_names(const X509 *certificate) {
    return (GENERAL_NAMES *)X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
}
static inline GENERAL_NAMES *relay_GENERAL_NAMES_new(void) { return GENERAL_NAMES_new(); }
static inline void relay_GENERAL_NAMES_free(GENERAL_NAMES *names) { GENERAL_NAMES_free(names); }
static inline int relay_GENERAL_NAMES_count(const GENERAL_NAMES *names) { return sk_GENERAL_NAME_num(names); }

/// The text of one dNSName, or NULL if the entry is of another kind.
static inline const ASN1_STRING *relay_GENERAL_NAMES_dns(const GENERAL_NAMES *names, int index) {
    int type = 0;
    void *value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, index), &type);
    return type == GEN_DNS ? (const ASN1_STRING *)value : NULL;
}

/// The text of one uniformResourceIdentifier, or NULL if the entry is of another kind.
static inline const ASN1_STRING *relay_GENERAL_NAMES_uri(const GENERAL_NAMES *names, int index) {
    int type = 0;
    void *value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, index), &type);
    return type == GEN_URI ? (const ASN1_STRING *)value : NULL;
}

/// Adds one extension written in OpenSSL's notation; 1 on success.
static inline int relay_X509_add_extension(X509 *issuer, X509 *subject, int nid, const char *value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, subject, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    if (extension == NULL) return 0;
    int added = X509_add_ext(subject, extension, -1);
    X509_EXTENSION_free(extension);
    return added;
}

/// Appends one name of a GEN_ type that is an IA5String; 1 on success. The text is data, never OpenSSL's notation.
static inline int relay_GENERAL_NAMES_append(GENERAL_NAMES *names, int type, const char *text) {
    ASN1_IA5STRING *value = ASN1_IA5STRING_new();
    GENERAL_NAME *name = GENERAL_NAME_new();
    if (value == NULL || name == NULL || ASN1_STRING_set(value, text, -1) != 1) goto failed;
    GENERAL_NAME_set0_value(name, type, value);
    value = NULL;
    if (sk_GENERAL_NAME_push(names, name) <= 0) goto failed;
    return 1;
failed:
    ASN1_IA5STRING_free(value);
    GENERAL_NAME_free(name);
    return 0;
}

// MARK: Secrets

/// HKDF with SHA-256 (RFC 5869); 1 on success, and then `output` has `count` bytes. An empty salt is none.
static inline int relay_HKDF_SHA256(
    unsigned char *output, size_t count, const unsigned char *secret, size_t secretCount, const unsigned char *salt,
    size_t saltCount, const unsigned char *info, size_t infoCount) {
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, NULL);
    if (context == NULL) return 0;
    size_t written = count;
    int done = EVP_PKEY_derive_init(context) == 1 && EVP_PKEY_CTX_set_hkdf_md(context, EVP_sha256()) == 1
        && EVP_PKEY_CTX_set1_hkdf_key(context, secret, (int)secretCount) == 1
        && (saltCount == 0 || EVP_PKEY_CTX_set1_hkdf_salt(context, salt, (int)saltCount) == 1)
        && (infoCount == 0 || EVP_PKEY_CTX_add1_hkdf_info(context, info, (int)infoCount) == 1)
        && EVP_PKEY_derive(context, output, &written) == 1 && written == count;
    EVP_PKEY_CTX_free(context);
    return done;
}

/// The tag of an authenticated cipher, after the last byte was sealed or before the first is opened.
static inline int relay_EVP_CIPHER_CTX_get_tag(EVP_CIPHER_CTX *context, int count, unsigned char *tag) {
    return EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, count, tag);
}
static inline int relay_EVP_CIPHER_CTX_set_tag(EVP_CIPHER_CTX *context, int count, const unsigned char *tag) {
    return EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, count, (void *)tag);
}
