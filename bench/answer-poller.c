// Asks one server one question again and again, to see when its answer changes, for bench:exclude: at an interval of some 0.3
// ms and with next to no processor time, which the servers and the control plane need on few cores.
// answer-poller PORT QUERY(hex). Reads lines "ADDRESS 0|1 WITHIN_MS": until the answer has not, or has, the IPv4 address.
// Answers each with "AT_MS PAUSES PAUSED_MS": the time on CLOCK_MONOTONIC, or -1; how many pauses there were from one question to
// the next, and their milliseconds together.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { PAUSE_NANOSECONDS = 200000, LOST_MICROSECONDS = 200000 };

static double now_ms(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

static int open_socket(int port) {
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  struct timeval lost = {.tv_usec = LOST_MICROSECONDS};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &lost, sizeof lost);
  struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  connect(fd, (struct sockaddr *)&server, sizeof server);
  return fd;
}

/* 1: the reply has a record with the address, 0: it has not, -1: there was no reply to this query. */
static int ask(int fd, unsigned char *query, int length, const unsigned char *rdata) {
  static unsigned char reply[65536];
  query[1]++; // A late reply to the one before is not taken for this one's.
  if (send(fd, query, length, 0) != length) return -1;
  int size = recv(fd, reply, sizeof reply, 0);
  if (size < 12 || reply[1] != query[1]) return -1;
  return memmem(reply, size, rdata, 6) != NULL;
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  prctl(PR_SET_TIMERSLACK, 1);
  int fd = open_socket(atoi(argv[1])), length = strlen(argv[2]) / 2;
  unsigned char query[512], rdata[6] = {0, 4};
  for (int i = 0; i < length && i < (int)sizeof query; i++) sscanf(argv[2] + 2 * i, "%2hhx", &query[i]);
  char line[128], address[64];
  int wanted;
  double within;
  while (fgets(line, sizeof line, stdin)) {
    if (sscanf(line, "%63s %d %lf", address, &wanted, &within) != 3 || inet_pton(AF_INET, address, rdata + 2) != 1) return 2;
    double start = now_ms(), time = start;
    long pauses = 0;
    int found;
    while ((found = ask(fd, query, length, rdata)) != wanted && time < start + within) {
      nanosleep(&(struct timespec){.tv_nsec = PAUSE_NANOSECONDS}, NULL);
      pauses++;
      time = now_ms();
    }
    printf("%.6f %ld %.6f\n", found == wanted ? now_ms() : -1, pauses, time - start);
    fflush(stdout);
  }
}
