/**
 * Says why a peer's certificate is not trusted, and what to do. Returns undefined where the error's code is about
 * something else.
 */
export function certificateTrouble(code: string | undefined, advice = "give --ca FILE"): string | undefined {
  switch (code) {
    case "DEPTH_ZERO_SELF_SIGNED_CERT":
    case "SELF_SIGNED_CERT_IN_CHAIN":
    case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
    case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
    case "UNABLE_TO_GET_ISSUER_CERT":
    case "CERT_UNTRUSTED":
    case "CERT_REJECTED":
    case "INVALID_CA":
    case "CERT_SIGNATURE_FAILURE":
      return `its certificate is not signed by an authority that is trusted here; ${advice}`;
    case "ERR_TLS_CERT_ALTNAME_INVALID":
    case "HOSTNAME_MISMATCH":
      return "its certificate is for another name; use the name that the certificate has";
    case "CERT_HAS_EXPIRED":
      return "its certificate has expired";
    case "CERT_NOT_YET_VALID":
      return "its certificate is not valid yet; is the clock of one of the two machines wrong?";
    default:
      return undefined;
  }
}
