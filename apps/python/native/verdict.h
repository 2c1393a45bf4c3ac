// The verdict as the dataclasses of prose.verdict.
#pragma once

#include "apps/lib/verdict/verdict.h"
#include "apps/python/native/convert.h"

namespace prose::python {

py::object to_python(const apps::verdict& v);

}  // namespace prose::python
