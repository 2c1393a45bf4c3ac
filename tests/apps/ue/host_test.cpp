// The UE's ends towards the host: addresses in text, UDP and line data ports, metrics. The TUN interface: address_test,
// address_tun_test.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>
#include <vector>

#include "apps/lib/common/file_descriptor.h"
#include "apps/lib/common/metrics.h"
#include "apps/ue/data_port.h"

namespace prose::apps {
namespace {

std::string text_of(std::span<const std::uint8_t> b) { return {b.begin(), b.end()}; }
std::vector<std::uint8_t> octets(const std::string& s) { return {s.begin(), s.end()}; }

TEST(addresses, of_packets_and_of_text) {
  std::vector<std::uint8_t> v4(20, 0);
  v4[0] = 0x45;
  v4[15] = 9;
  v4[16] = 10;
  v4[19] = 7;
  EXPECT_EQ(to_string(destination_of(v4).value()), "10.0.0.7");
  EXPECT_EQ(to_string(source_of(v4).value()), "0.0.0.9");
  std::vector<std::uint8_t> v6(40, 0);
  v6[0] = 0x60;
  v6[24] = 0xfd;
  v6[39] = 1;
  EXPECT_EQ(to_string(destination_of(v6).value()), "fd00::1");
  v6.pop_back();
  EXPECT_FALSE(destination_of(v6));
  EXPECT_FALSE(destination_of({}));
  EXPECT_FALSE(parse_ip_address("10.0.0"));
}

TEST(addresses, that_a_host_can_have) {
  for (const char* good : {"10.64.0.1", "192.0.2.1", "fd00::1", "2001:db8::1"})
    EXPECT_TRUE(is_plain_unicast(parse_ip_address(good).value())) << good;
  for (const char* bad : {"0.0.0.1", "127.0.0.1", "169.254.3.4", "224.0.0.1", "255.255.255.255", "::", "::1",
                          "::ffff:10.0.0.1", "::10.0.0.1", "fe80::1", "febf::1", "ff02::1"})
    EXPECT_FALSE(is_plain_unicast(parse_ip_address(bad).value())) << bad;
  EXPECT_FALSE(is_plain_unicast({}));
}

TEST(udp_port, carries_packets_both_ways_and_drops_oversized_ones) {
  file_descriptor application(socket(AF_INET, SOCK_DGRAM, 0));
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof a;
  ASSERT_EQ(bind(application.get(), reinterpret_cast<sockaddr*>(&a), length), 0);
  ASSERT_EQ(getsockname(application.get(), reinterpret_cast<sockaddr*>(&a), &length), 0);
  // A port that is free now, for the UE's side.
  sockaddr_in b = a;
  b.sin_port = 0;
  {
    file_descriptor probe(socket(AF_INET, SOCK_DGRAM, 0));
    ASSERT_EQ(bind(probe.get(), reinterpret_cast<sockaddr*>(&b), sizeof b), 0);
    ASSERT_EQ(getsockname(probe.get(), reinterpret_cast<sockaddr*>(&b), &length), 0);
  }
  const auto text = [](const sockaddr_in& s) { return "127.0.0.1:" + std::to_string(ntohs(s.sin_port)); };
  auto port = open_udp({{.name = "quiet"}, {.name = "john", .udp_listen = text(b), .udp_forward = text(a)}});
  ASSERT_TRUE(port) << port.error().message;
  std::vector<std::uint8_t> buffer(max_data_packet_bytes);
  EXPECT_FALSE((*port)->poll(buffer));
  const std::vector<std::uint8_t> big(max_data_packet_bytes + 1, 1);
  sendto(application.get(), big.data(), big.size(), 0, reinterpret_cast<sockaddr*>(&b), sizeof b);
  sendto(application.get(), "hello", 5, 0, reinterpret_cast<sockaddr*>(&b), sizeof b);
  std::optional<outgoing_packet> got;
  for (int i = 0; i < 100 && !got; ++i) {
    got = (*port)->poll(buffer);
    usleep(1000);
  }
  ASSERT_TRUE(got);
  EXPECT_EQ(got->peer, 1U);
  EXPECT_EQ(text_of(std::span(buffer).first(got->size)), "hello");
  EXPECT_EQ((*port)->counters().oversized, 1U);
  (*port)->deliver(1, octets("answer"));
  (*port)->deliver(0, octets("nowhere"));
  char in[32];
  ASSERT_EQ(recv(application.get(), in, sizeof in, 0), 6);
  EXPECT_EQ(std::string(in, 6), "answer");
}

TEST(tun_port, a_bad_name_is_one_line) {
  tun_config c;
  c.interface = "a name that is too long";
  const auto port = open_tun(c, {});
  ASSERT_FALSE(port);
  EXPECT_NE(port.error().message.find("15 characters"), std::string::npos);
}

TEST(udp_port, bad_endpoints_are_one_line_errors) {
  for (const char* bad : {"127.0.0.1", "localhost:1", "127.0.0.1:99999", ":5", "1.2.3.4:x"}) {
    const auto port = open_udp({{.name = "john", .udp_listen = bad}});
    ASSERT_FALSE(port) << bad;
    EXPECT_NE(port.error().message.find("john"), std::string::npos);
  }
}

TEST(line_port, sends_lines_by_name_and_prints_without_control_codes) {
  int in[2];
  int out[2];
  ASSERT_EQ(pipe(in), 0);
  ASSERT_EQ(pipe(out), 0);
  auto port = open_lines({{.name = "john"}, {.name = "mary"}}, in[0], out[1]);
  ASSERT_TRUE(port);
  std::vector<std::uint8_t> buffer(max_data_packet_bytes);
  EXPECT_FALSE((*port)->poll(buffer));
  const std::string lines = "\nmary good day\nnobody hi\n\njohn last without newline";
  ASSERT_EQ(write(in[1], lines.data(), lines.size()), static_cast<ssize_t>(lines.size()));
  auto got = (*port)->poll(buffer);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->peer, 1U);
  EXPECT_EQ(text_of(std::span(buffer).first(got->size)), "good day");
  EXPECT_FALSE((*port)->poll(buffer));
  EXPECT_EQ((*port)->counters().no_such_peer, 1U);
  close(in[1]);
  got = (*port)->poll(buffer);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->peer, 0U);
  EXPECT_FALSE((*port)->poll(buffer));
  (*port)->deliver(0, octets("a\x1b[2Jb"));
  char text[64];
  const auto n = read(out[0], text, sizeof text);
  EXPECT_EQ(std::string(text, static_cast<std::size_t>(n)), "john a?[2Jb\n");
  // 0x9b alone, and as U+009B in UTF-8, begins a terminal's code too; within a letter it does not.
  (*port)->deliver(1, octets("\x9b"
                             "1A \xc2\x9b"
                             "1A \xc4\x9b \xe2\x80\x9b \r\x7f"));
  const auto m = read(out[0], text, sizeof text);
  EXPECT_EQ(std::string(text, static_cast<std::size_t>(m)), "mary ?1A ??1A \xc4\x9b \xe2\x80\x9b ??\n");
}

TEST(line_port, a_read_error_is_the_end_of_the_port) {
  const file_descriptor folder(::open("/", O_RDONLY | O_DIRECTORY));  // reads fail with EISDIR
  auto port = open_lines({{.name = "john"}}, folder.get(), 1);
  ASSERT_TRUE(port);
  std::vector<std::uint8_t> buffer(max_data_packet_bytes);
  EXPECT_EQ((*port)->look(), port_trouble{});
  EXPECT_FALSE((*port)->poll(buffer));
  EXPECT_EQ((*port)->look(), (port_trouble{"standard input: Is a directory", true}));
}

std::string ask(int port, const std::string& request) {
  file_descriptor s(socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  a.sin_port = htons(static_cast<std::uint16_t>(port));
  if (connect(s.get(), reinterpret_cast<sockaddr*>(&a), sizeof a) != 0) return "no connection";
  if (send(s.get(), request.data(), request.size(), 0) < 0) return "not sent";
  std::string answer;
  char chunk[512];
  for (ssize_t n = 0; (n = recv(s.get(), chunk, sizeof chunk, 0)) > 0;)
    answer.append(chunk, static_cast<std::size_t>(n));
  return answer;
}

TEST(metrics, serves_the_published_page_and_nothing_else) {
  auto server = metrics_server::open(0);
  ASSERT_TRUE(server) << server.error().message;
  metrics_page page;
  page.counter("prose_frames_total", "Frames sent.", 3, "peer=\"john\"");
  page.counter("prose_frames_total", "Frames sent.", 4, "peer=\"mary\"");
  page.gauge("prose_cfo_hz", "Carrier offset.", -12.5);
  (*server)->publish(page.text());
  const auto answer = ask((*server)->port(), "GET /metrics HTTP/1.0\r\n\r\n");
  EXPECT_NE(answer.find("200 OK"), std::string::npos);
  EXPECT_NE(answer.find("# HELP prose_frames_total Frames sent.\n# TYPE prose_frames_total counter\n"
                        "prose_frames_total{peer=\"john\"} 3\nprose_frames_total{peer=\"mary\"} 4\n"),
            std::string::npos)
      << answer;
  EXPECT_NE(answer.find("prose_cfo_hz -12.5\n"), std::string::npos);
  EXPECT_NE(ask((*server)->port(), "GET /secret HTTP/1.0\r\n\r\n").find("404"), std::string::npos);
}

}  // namespace
}  // namespace prose::apps
