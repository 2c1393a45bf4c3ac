# What `cmake --install` puts where, and the Debian packages (cpack). Components: prose (the programs), dev (libraries and headers), python (the Python package), mpi (campaigns under mpirun). A component of another
# target needs no more than its own install() calls and a block of names in cmake/packages.cmake.
if(PROSE_SANITIZE OR PROSE_FUZZ)
  install(CODE "message(FATAL_ERROR \"A build with PROSE_SANITIZE or PROSE_FUZZ installs nothing; install one without them (cmake --preset release).\")" ALL_COMPONENTS)
  return()
endif()
include(cmake/install/places.cmake)
include(CMakePackageConfigHelpers)
set(CMAKE_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(PROSE_INSTALLED_PROGRAMS prose-air prose-bler prose-function prose-iq prose-keys prose-page prose-sniffer prose-town prose-ue)
set(PROSE_INSTALLED_LIBRARIES common phy_types phy security ts33303 ts33303_links mac radio)

# --- prose: programs, the emulated radio where UHD of the same prefix looks, Wireshark's plugin ---
install(TARGETS ${PROSE_INSTALLED_PROGRAMS} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT prose)
install(TARGETS prose_uhd_virtual LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/uhd/modules COMPONENT prose)
install(FILES scripts/wireshark/prose.lua DESTINATION ${CMAKE_INSTALL_LIBDIR}/wireshark/plugins COMPONENT prose)

# --- the files of prose-page, where it looks from its own place ---
install(DIRECTORY apps/page/assets/ DESTINATION ${CMAKE_INSTALL_DATADIR}/prose/page COMPONENT prose)

# --- the demo and the lab, beside the configurations that they start from ---
install(PROGRAMS scripts/demo scripts/lab DESTINATION ${CMAKE_INSTALL_DATADIR}/prose/scripts COMPONENT prose)
install(DIRECTORY scripts/demo_lib scripts/lab_lib DESTINATION ${CMAKE_INSTALL_DATADIR}/prose/scripts COMPONENT prose FILES_MATCHING PATTERN "*.py" PATTERN __pycache__ EXCLUDE)
install(TARGETS cross_open live_judge recognised RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/prose COMPONENT prose)  # with which it checks keys, and judges while it is live
install(DIRECTORY configs DESTINATION ${CMAKE_INSTALL_DATADIR}/prose COMPONENT prose FILES_MATCHING PATTERN "*.yaml")
prose_place(bin "${CMAKE_INSTALL_BINDIR}")
prose_place(data "${CMAKE_INSTALL_DATADIR}")
foreach(script demo lab)
  install(CODE "file(RELATIVE_PATH to \"${bin}\" \"${data}/prose/scripts/${script}\")
    file(CREATE_LINK \"\${to}\" \"\$ENV{DESTDIR}${bin}/prose-${script}\" SYMBOLIC)
    list(APPEND CMAKE_INSTALL_MANIFEST_FILES \"${bin}/prose-${script}\")" COMPONENT prose)
endforeach()

# --- manual pages and bash completion, from the programs' options ---
set(manual ${CMAKE_BINARY_DIR}/manual)
foreach(program ${PROSE_INSTALLED_PROGRAMS})
  list(APPEND pages ${manual}/${program}.1.gz)
  list(APPEND completions ${manual}/completions/${program})
  list(APPEND described $<TARGET_FILE:${program}>)
endforeach()
list(APPEND pages ${manual}/prose-demo.1.gz ${manual}/prose-lab.1.gz)
file(GLOB demo CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/scripts/demo_lib/*.py ${PROJECT_SOURCE_DIR}/scripts/lab_lib/*.py)  # its options are there too
add_custom_command(OUTPUT ${pages} ${completions} VERBATIM
  DEPENDS ${PROSE_INSTALLED_PROGRAMS} ${PROJECT_SOURCE_DIR}/scripts/manual ${PROJECT_SOURCE_DIR}/scripts/demo ${PROJECT_SOURCE_DIR}/scripts/lab ${demo}
  COMMAND Python3::Interpreter -B ${PROJECT_SOURCE_DIR}/scripts/manual ${PROJECT_VERSION} ${manual} ${described} ${PROJECT_SOURCE_DIR}/scripts/demo ${PROJECT_SOURCE_DIR}/scripts/lab)
add_custom_target(prose_manual ALL DEPENDS ${pages} ${completions})
add_dependencies(programs prose_manual)
install(FILES ${pages} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT prose)
install(FILES ${completions} DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT prose)

# --- the server as a service; nothing starts it before it has a configuration ---
install(FILES cmake/install/prose-function.service DESTINATION lib/systemd/system COMPONENT prose)

# --- documents ---
install(FILES README.md CHANGELOG.md SECURITY.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT prose)
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/docs COMPONENT prose FILES_MATCHING PATTERN "*.md" PATTERN "*.png" PATTERN "grafana.json" PATTERN examples EXCLUDE)

# --- dev: static libraries, headers, what CMake and pkg-config ask ---
foreach(library ${PROSE_INSTALLED_LIBRARIES})
  set_target_properties(prose_${library} PROPERTIES EXPORT_NAME ${library})
  target_include_directories(prose_${library} INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/prose>)
  target_compile_features(prose_${library} INTERFACE $<INSTALL_INTERFACE:cxx_std_20>)
  install(TARGETS prose_${library} EXPORT prose ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT dev)
  add_dependencies(programs prose_${library})  # some are in none of them
endforeach()
foreach(folder common phy/types phy/dsp phy/coding phy/scfdma phy/channels phy/sync phy/modem phy/io phy/radio security mac)
  # Headers of phy/radio's own files need UHD's.
  install(DIRECTORY ${folder}/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/prose/${folder} COMPONENT dev FILES_MATCHING PATTERN "*.h"
    PATTERN proof EXCLUDE PATTERN radio_impl.h EXCLUDE PATTERN radio_setup.h EXCLUDE PATTERN uhd_errors.h EXCLUDE)
endforeach()
set(package ${CMAKE_INSTALL_LIBDIR}/cmake/prose)
install(EXPORT prose NAMESPACE prose:: FILE prose-targets.cmake DESTINATION ${package} COMPONENT dev)
configure_package_config_file(cmake/install/prose-config.cmake.in ${CMAKE_BINARY_DIR}/install/prose-config.cmake INSTALL_DESTINATION ${package})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/install/prose-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/install/prose-config.cmake ${CMAKE_BINARY_DIR}/install/prose-config-version.cmake DESTINATION ${package} COMPONENT dev)
configure_file(cmake/install/prose.pc.in ${CMAKE_BINARY_DIR}/install/prose.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/install/prose.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT dev)
install(FILES docs/examples/library/CMakeLists.txt docs/examples/library/discovery.cpp DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/libprose-dev/examples COMPONENT dev)

# --- python: where Debian's Python looks below /usr and below /usr/local; with another prefix PYTHONPATH tells it ---
if(TARGET prose_python)
  get_property(PROSE_PYTHON_FILES GLOBAL PROPERTY PROSE_PYTHON_FILES)
  get_property(PROSE_PYTHON_VERSION GLOBAL PROPERTY PROSE_PYTHON_VERSION)
  install(CODE "if(CMAKE_INSTALL_PREFIX MATCHES \"(^|/)usr\$\")  # cpack has a folder before it
    set(python_place lib/python3/dist-packages)
  else()
    set(python_place lib/python${PROSE_PYTHON_VERSION}/dist-packages)
  endif()" COMPONENT python)
  install(TARGETS prose_python LIBRARY DESTINATION "\${python_place}/prose" COMPONENT python)
  install(FILES ${PROSE_PYTHON_FILES} DESTINATION "\${python_place}/prose" COMPONENT python)
  install(DIRECTORY apps/python/examples DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/python3-prose COMPONENT python FILES_MATCHING PATTERN "*.py" PATTERN __pycache__ EXCLUDE)
endif()

# --- mpi: what prose-bler and prose-town load where mpirun started them, from ../lib/prose beside their folder ---
if(TARGET prose_mpi)
  install(TARGETS prose_mpi LIBRARY DESTINATION lib/prose COMPONENT mpi)
  install(DIRECTORY docs/examples/slurm/ DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/prose-mpi/examples COMPONENT mpi)
endif()

# --- where UHD does not look ---
prose_place(lib "${CMAKE_INSTALL_LIBDIR}")
install(CODE "set(modules \"${lib}/uhd/modules\")
  if(NOT CMAKE_INSTALL_PREFIX STREQUAL \"/usr\")
    message(STATUS \"UHD's programs find the emulated radio with UHD_MODULE_PATH=\${modules}\")
  endif()" COMPONENT prose)
