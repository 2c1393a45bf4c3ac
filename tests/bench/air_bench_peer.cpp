// One device of the air benchmark: continuous full duplex (or reception alone) through UHD's interface, timed between
// two ticks. usage: air_bench_peer DEVICE_ARGS tx|rx CHUNK START_S SECONDS. Prints the wall seconds it took.
#include <chrono>
#include <complex>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <uhd/usrp/multi_usrp.hpp>
#include <uhd/utils/safe_main.hpp>
#include <vector>

int UHD_SAFE_MAIN(int argc, char** argv) {
  if (argc != 6) return 2;
  constexpr double rate = 30.72e6;
  constexpr int prefill = 3;
  const bool transmits = std::strcmp(argv[2], "tx") == 0;
  const std::size_t chunk = std::atol(argv[3]);
  const double start_s = std::atof(argv[4]);
  const std::size_t wanted = std::atof(argv[5]) * rate;
  const auto usrp = uhd::usrp::multi_usrp::make(std::string(argv[1]));
  usrp->set_rx_rate(rate);
  usrp->set_tx_rate(rate);
  const auto rx = usrp->get_rx_stream(uhd::stream_args_t("fc32"));
  uhd::tx_streamer::sptr tx;
  std::vector<std::complex<float>> out(chunk), in(chunk);
  for (std::size_t i = 0; i < chunk; ++i) out[i] = std::polar(0.3F, 0.001F * static_cast<float>(i * i % 6283));
  uhd::stream_cmd_t cmd(uhd::stream_cmd_t::STREAM_MODE_START_CONTINUOUS);
  cmd.stream_now = false;
  cmd.time_spec = uhd::time_spec_t(start_s);
  rx->issue_stream_cmd(cmd);
  uhd::tx_metadata_t md;
  if (transmits) {
    tx = usrp->get_tx_stream(uhd::stream_args_t("fc32"));
    md.start_of_burst = md.has_time_spec = true;
    md.time_spec = uhd::time_spec_t(start_s);
    for (int i = 0; i < prefill; ++i) {
      tx->send(out.data(), chunk, md, 30.0);
      md.start_of_burst = md.has_time_spec = false;
    }
  }
  uhd::rx_metadata_t rmd;
  rx->recv(in.data(), chunk, rmd, 30.0);  // the start is waited for outside the measurement
  const auto t0 = std::chrono::steady_clock::now();
  std::size_t got = 0;
  while (got < wanted) {
    if (tx) tx->send(out.data(), chunk, md, 5.0);
    const std::size_t n = rx->recv(in.data(), chunk, rmd, 5.0);
    if (rmd.error_code != uhd::rx_metadata_t::ERROR_CODE_NONE) {
      std::fprintf(stderr, "air_bench_peer: %s\n", rmd.strerror().c_str());
      return 1;
    }
    got += n;
  }
  std::printf("%.6f\n", std::chrono::duration<double>(std::chrono::steady_clock::now() - t0).count());
  return 0;
}
