# Folders of the installation, and how prose.pc names them.
# Debian's folder for every prefix: pkg-config, CMake and the loader look there below /usr and /usr/local. A folder that the user names wins.
if(NOT DEFINED CMAKE_INSTALL_LIBDIR AND CMAKE_LIBRARY_ARCHITECTURE)
  set(CMAKE_INSTALL_LIBDIR lib/${CMAKE_LIBRARY_ARCHITECTURE} CACHE PATH "Libraries, below the prefix")
endif()
include(GNUInstallDirs)

# The path of a folder when it is installed, for install(CODE): the prefix may be another then.
function(prose_place variable folder)
  if(NOT IS_ABSOLUTE "${folder}")
    string(PREPEND folder "\${CMAKE_INSTALL_PREFIX}/")
  endif()
  set(${variable} "${folder}" PARENT_SCOPE)
endfunction()

# prose.pc finds the prefix from its own folder, so that the installation can be moved; not if that folder is absolute.
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
  set(PROSE_PC_PREFIX ${CMAKE_INSTALL_PREFIX})
else()
  file(RELATIVE_PATH up /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
  set(PROSE_PC_PREFIX "\${pcfiledir}/${up}")
endif()
foreach(kind LIB INCLUDE)
  set(PROSE_PC_${kind}DIR "${CMAKE_INSTALL_${kind}DIR}")
  if(NOT IS_ABSOLUTE "${PROSE_PC_${kind}DIR}")
    string(PREPEND PROSE_PC_${kind}DIR "\${prefix}/")
  endif()
endforeach()
