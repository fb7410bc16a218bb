// The client of "TCP, one query a connection": keeps 20 connections busy, each of which asks once and is closed by the client
// when it has its reply. dnsperf cannot be asked for this as fast as a server answers: it runs out of ports, and ends with
// "Bad file descriptor" when a connection that it gave up is answered after all.
// connections PORT QUERIES SECONDS, where QUERIES has lines "name A". Prints what dnsperf prints.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS = 20, MOST_QUERIES = 1 << 16, MOST_BYTES = 300, ADDRESSES = 250, TIMEOUT_SECONDS = 5 };

static struct query { int length; unsigned char bytes[MOST_BYTES]; } queries[MOST_QUERIES];
static struct connection { int fd, got; double since; unsigned char bytes[65537]; } connections[CONNECTIONS];
static int count, epoll, port;
static long sent, completed, lost;

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

/* "a.b. A" → a query with its two bytes of length before it. */
static void add(const char *name) {
  unsigned char *at = queries[count].bytes + 2;
  static const unsigned char head[12] = {0, 0, 0, 0, 0, 1};
  memcpy(at, head, sizeof head);
  at += sizeof head;
  for (size_t length; (length = strcspn(name, ". \n")) > 0; name += length + (name[length] == '.')) {
    *at++ = length;
    memcpy(at, name, length);
    at += length;
  }
  static const unsigned char end[5] = {0, 0, 1, 0, 1};
  memcpy(at, end, sizeof end);
  queries[count].length = at + sizeof end - queries[count].bytes;
  queries[count].bytes[1] = queries[count].length - 2;
  count++;
}

/* From addresses in turn: a closed connection keeps its port for a minute, and an address has 28,000 of them. */
static void open_connection(struct connection *one) {
  static int turn;
  int yes = 1;
  one->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  setsockopt(one->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes);
  struct sockaddr_in self = {.sin_family = AF_INET, .sin_addr = {htonl(0x7f000101 + turn++ % ADDRESSES)}};
  struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  if (bind(one->fd, (struct sockaddr *)&self, sizeof self) != 0) perror("bind"), exit(1);
  connect(one->fd, (struct sockaddr *)&server, sizeof server);
  struct epoll_event event = {.events = EPOLLOUT, .data.ptr = one};
  epoll_ctl(epoll, EPOLL_CTL_ADD, one->fd, &event);
  one->got = 0;
  one->since = now();
  sent++;
}

static void ask(struct connection *one) {
  const struct query *query = &queries[sent % count];
  if (write(one->fd, query->bytes, query->length) != query->length) return; // An error: the next read says so.
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = one};
  epoll_ctl(epoll, EPOLL_CTL_MOD, one->fd, &event);
}

/* 1: has its reply, 0: not yet, -1: closed by the server. */
static int receive(struct connection *one) {
  int more = read(one->fd, one->bytes + one->got, sizeof one->bytes - one->got);
  if (more <= 0) return -1;
  one->got += more;
  return one->got >= 2 && one->got >= 2 + (one->bytes[0] << 8 | one->bytes[1]);
}

static void step(struct connection *one, unsigned events) {
  if (events & EPOLLOUT && !(events & EPOLLERR)) return ask(one);
  int result = receive(one);
  if (result == 0) return;
  if (result > 0) completed++;
  else lost++;
  close(one->fd);
  open_connection(one);
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  port = atoi(argv[1]);
  FILE *file = fopen(argv[2], "r");
  char line[256];
  while (file && count < MOST_QUERIES && fgets(line, sizeof line, file)) add(line);
  if (count == 0) return fprintf(stderr, "no queries in %s\n", argv[2]), 1;
  epoll = epoll_create1(0);
  double start = now(), end = start + atof(argv[3]), time = start;
  for (int i = 0; i < CONNECTIONS; i++) open_connection(&connections[i]);
  for (; time < end; time = now()) {
    struct epoll_event events[CONNECTIONS];
    int ready = epoll_wait(epoll, events, CONNECTIONS, 100);
    for (int i = 0; i < ready; i++) step(events[i].data.ptr, events[i].events);
    for (int i = 0; i < CONNECTIONS; i++) {
      if (time - connections[i].since < TIMEOUT_SECONDS) continue;
      lost++;
      close(connections[i].fd);
      open_connection(&connections[i]);
    }
  }
  sent -= CONNECTIONS; // Those that are under way have not been waited for.
  printf("Queries sent: %ld\nQueries completed: %ld\nQueries lost: %ld\nQueries per second: %f\n", sent, completed, lost,
         completed / (time - start));
}
