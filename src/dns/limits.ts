// Every limit of the protocol code in one place. They bound everything that is read from the network.

/** RFC 1035 section 2.3.4. */
export const MAX_LABEL_BYTES = 63;
/** RFC 1035 section 2.3.4: length bytes and the root's zero byte included. */
export const MAX_NAME_BYTES = 255;
/** A name of 255 bytes has at most 127 labels (one byte each) and the root. */
export const MAX_LABELS = 127;
/** A chain of compression pointers in one name. Each must point further back; more hops than labels are not useful. */
export const MAX_POINTER_HOPS = 127;

export const HEADER_BYTES = 12;
/** RFC 1035 section 4.2.2: TCP's length prefix has two bytes. */
export const MAX_MESSAGE_BYTES = 65_535;
/** RFC 1035 section 4.2.1: the UDP size of clients without EDNS. */
export const UDP_BYTES_WITHOUT_EDNS = 512;
/** DNS flag day 2020: no fragments on any usual path. The size that we send and offer over UDP. */
export const UDP_BYTES_WITH_EDNS = 1232;
/** All sections of one message: 64 KiB of the smallest records (11 bytes) are fewer than this. */
export const MAX_RECORDS_PER_MESSAGE = 6_000;
export const MAX_QUESTIONS_PER_MESSAGE = 16;
export const MAX_EDNS_OPTIONS = 128;
export const MAX_RDATA_BYTES = 65_535;
/** RFC 2181 section 8. */
export const MAX_TTL_SECONDS = 2_147_483_647;
/** How many CNAMEs one answer follows. */
export const MAX_CNAME_CHAIN = 16;
