// What programs say of room on the disk and of a device that had to wait.
#include <gtest/gtest.h>

#include "apps/lib/common/disk_room.h"
#include "apps/sniffer/sample_dates.h"
#include "apps/sniffer/summary.h"

namespace prose::apps {
namespace {

TEST(disk_room, says_what_a_recording_takes_and_for_how_long_there_is_room) {
  EXPECT_EQ(room_text({61.44e6}, 20'000'000'000).text, "61.4 MB a second; 20.0 GB are free, enough for 326 s");
  EXPECT_EQ(room_text({61.44e6}, 200'000'000'000).text, "61.4 MB a second; 200.0 GB are free, enough for 54 min");
  EXPECT_EQ(room_text({61.44e6, 10}, 20'000'000'000).text, "61.4 MB a second, 614.4 MB in all; 20.0 GB are free");
  EXPECT_TRUE(room_text({61.44e6, 10}, 20'000'000'000).enough);
  const auto little = room_text({61.44e6, 10}, 500'000'000);
  EXPECT_EQ(little.text, "61.4 MB a second, 614.4 MB in all; 500.0 MB are free, enough only for 8 s");
  EXPECT_FALSE(little.enough);
  EXPECT_TRUE(room_text({61.44e6, 10, 400'000'000}, 500'000'000).enough) << "--max-size ends it before";
  EXPECT_EQ(room_text({1000, 0, 5000}, 2000).text,
            "1.0 kB a second, 5.0 kB in all; 2.0 kB are free, enough only for 2 s");
}

TEST(dates, are_read_as_sigmf_has_them) {
  EXPECT_EQ(utc_from("2026-11-28T06:00:00Z"), 1795845600.0);
  EXPECT_EQ(utc_from("2026-11-28T06:00:00.25Z"), 1795845600.25);
  EXPECT_EQ(utc_from("2026-11-28T06:00:00"), 1795845600.0);
  EXPECT_EQ(utc_from("2026-11-28T07:30:00+01:30"), 1795845600.0);
  EXPECT_EQ(utc_from("2026-11-28T04:30:00-01:30"), 1795845600.0);
  for (const auto* bad :
       {"", "2026-11-28", "yesterday", "2026-13-28T06:00:00Z", "2026-11-28T06:00:99Z", "2026-11-28T06:00:00 local"})
    EXPECT_EQ(utc_from(bad), std::nullopt) << bad;
}

TEST(waiting, does_not_contradict_the_samples_that_were_lost) {
  EXPECT_EQ(waiting_text(0, 0), "");
  EXPECT_EQ(waiting_text(0, 100), "");
  EXPECT_EQ(waiting_text(570, 0),
            "processing was slower than the device 570 times: the device could wait, so no sample was lost");
  EXPECT_EQ(waiting_text(570, 1000),
            "processing was slower than the device 570 times: 1000 samples were lost where it could not wait");
}

}  // namespace
}  // namespace prose::apps
