// --annotate: a recording again under another name, with what was decoded in its metadata.
#pragma once

#include <memory>
#include <string>

#include "apps/lib/common/whole_file.h"
#include "apps/sniffer/frame_annotations.h"
#include "phy/io/sigmf_reader.h"

namespace prose::apps {

/// The samples are a hard link to those of the source where the disk can do that, else a copy. Nothing appears before
/// finish(), and then all of it or nothing. What is written has no right that the source's file does not have, or that
/// the umask takes.
class annotated_recording {
public:
  /// source: opened with keep_text; outlives this. Refused where one of the two files exists. prose: as
  /// sigmf_meta::prose, of the copy if something is decoded. Null where safe_file.h only looks.
  static result<std::unique_ptr<annotated_recording>> open(const std::string& path, const phy::sigmf_reader& source,
                                                           const phy::carrier_config& carrier, std::string prose = {});
  void add(const captured_frame& f) {
    frames_.add(f);
    decoded_ = true;
  }
  std::uint64_t n_left_out() const { return frames_.n_left_out(); }
  result<void> finish();

private:
  annotated_recording(phy::sigmf_paths paths, mode_t mode, whole_file meta, const phy::sigmf_reader& source,
                      const phy::carrier_config& carrier, std::string prose)
      : paths_(std::move(paths)),
        mode_(mode),
        meta_(std::move(meta)),
        source_(source),
        frames_(carrier, source.meta().captures),
        prose_(std::move(prose)) {}
  result<std::string> metadata();
  result<void> put_data() const;
  result<void> copy_data(int from) const;

  phy::sigmf_paths paths_;
  mode_t mode_;
  whole_file meta_;
  const phy::sigmf_reader& source_;
  frame_annotations frames_;
  std::string prose_;
  bool decoded_ = false;
};

}  // namespace prose::apps
