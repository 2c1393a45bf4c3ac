# Text files as constants: cmake -DOUTPUT=x.cpp -DNAMESPACE=a::b -DFILES="a.html|b.js" -P embed.cmake. See prose_embed().
set(text "#include <string_view>\n\nnamespace ${NAMESPACE} {\n")
string(REPLACE "|" ";" FILES "${FILES}")
foreach(file IN LISTS FILES)
  get_filename_component(name ${file} NAME)
  string(MAKE_C_IDENTIFIER ${name} name)
  # In hexadecimal: nothing in a file can end a literal, and a list of CMake would lose its semicolons.
  file(READ ${file} octets HEX)
  string(REGEX REPLACE "(................................)" "\\1\n" octets "${octets}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1', " octets "${octets}")
  string(APPEND text "extern const std::string_view ${name};\nstatic constexpr char ${name}_octets[] = {\n${octets}};\nconst std::string_view ${name}(${name}_octets, sizeof ${name}_octets);\n")
endforeach()
file(WRITE ${OUTPUT} "${text}}  // namespace ${NAMESPACE}\n")
