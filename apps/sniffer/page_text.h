// Text that goes into a page: nothing in it can become markup or script.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace prose::apps {

/// The files of apps/sniffer/page.
namespace page_texts {
extern const std::string_view report_html, report_css, draw_js, frames_js, report_js;
}

/// For element content and quoted attributes. Octets outside printable ASCII become dots.
std::string escaped(std::string_view text);
/// JSON for the inside of a script element: as it is, but no "<" that could end the element.
std::string in_script(std::string_view json);
/// A JSON string of any octets. What is no UTF-8 is replaced.
std::string json_string(std::string_view text);
/// A JSON number; null if it is not finite.
std::string json_number(double v, int digits);
/// Each {{name}} of `text` replaced by what value(name) gives. What is put in is not looked at again.
std::string filled(std::string_view text, const std::function<std::string(std::string_view)>& value);
/// 'sha256-...' of an inline style or script, for a Content-Security-Policy.
std::string policy_hash(std::string_view text);

}  // namespace prose::apps
